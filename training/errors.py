"""The errors of training; each text is one line that tells a person how to react."""


class TrainingError(Exception):
    """The base of the package's exceptions."""


class DataError(TrainingError):
    """The data does not fit the table."""


class ParityError(TrainingError):
    """The serving form of the model predicts something else than the trained one."""


class RegistryError(TrainingError):
    """A bundle or the registry in S3 does not allow the operation."""


def describe_os_error(error: OSError) -> str:
    """Return the file and its fault, without the error number that Python puts first."""
    told = error.strerror or str(error)
    return f"{error.filename}: {told}" if error.filename else told
