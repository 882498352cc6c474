"""Records in the database, as the service stores them."""

from lambda_app.log.database import Database
from lambda_app.log.record import PredictionRecord
from lambda_app.log.store import insert_predictions


def insert(database: Database, *records: PredictionRecord) -> None:
    database.run_transaction(lambda connection: insert_predictions(connection, records))
