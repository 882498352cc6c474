"""The errors from data to registry; each text is one line that a person can act on."""


class TrainingError(Exception):
    """The base of the package's exceptions."""


class DataError(TrainingError):
    """The data is not what the service is built for."""


class ParityError(TrainingError):
    """The serving form of the model answers otherwise than the trained one."""


class RegistryError(TrainingError):
    """A bundle or the registry in S3 does not allow what was asked."""


def describe_os_error(error: OSError) -> str:
    """The file and what is wrong with it, without the number that Python puts first."""
    told = error.strerror or str(error)
    return f"{error.filename}: {told}" if error.filename else told
