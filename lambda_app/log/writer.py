"""Makes a record durable, or says that it is not."""

from lambda_app.errors import RecordError
from lambda_app.log.database import DATABASE_ERRORS, Database, describe_error
from lambda_app.log.record import PredictionRecord
from lambda_app.log.store import insert_prediction


class RecordWriter:
    """Writes to the database; what cannot be written must not be answered."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, record: PredictionRecord) -> None:
        """Return once the record is committed; otherwise raise RecordError."""
        try:
            self._database.run_transaction(lambda connection: insert_prediction(connection, record))
        except DATABASE_ERRORS as error:
            raise RecordError(f"the database did not take the record: {describe_error(error)}") from error
