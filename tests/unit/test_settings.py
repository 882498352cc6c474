"""Settings read everything once and tell all faults at once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lambda_app.errors import SettingsError
from lambda_app.settings import Settings

ROOT = Path(__file__).parents[2]
MINIMAL = {
    "MODEL_BUCKET": "models",
    "DATABASE_HOST": "db",
    "DATABASE_NAME": "diabetes",
    "DATABASE_USER": "api",
    "QUEUE_URL": "https://sqs/1/records",
    "DEAD_LETTER_QUEUE_URL": "https://sqs/1/dead",
    "AWS_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "id",
    "AWS_SECRET_ACCESS_KEY": "key",
}


def test_defaults() -> None:
    assert vars(Settings.from_env(MINIMAL)) == {
        **{name.lower(): value for name, value in MINIMAL.items()},
        "records_bucket": "",
        "retention_months": None,
        "idempotency_days": 30,
        "model_runtime": "litert",
        "model_refresh_seconds": 60,
        "candidate_max_ms": 250,
        "monitor_window_days": 30,
        "coverage_tolerance": 0.04,
        "drift_false_alarms_per_year": 1,
        "database_port": 5432,
        "database_password": None,
        "database_tls": "verify",
        "database_storage_gb": None,
        "role_secret_arns": (),
        "pages": True,
        "service_name": "diabetes-ml",
        "metrics_namespace": "DiabetesMl",
        "log_level": "INFO",
        "aws_endpoint_url": None,
        "aws_lambda_log_stream_name": "local",
        "aws_session_token": None,
    }


def test_each_field_is_read_from_its_variable() -> None:
    given = {
        "MODEL_BUCKET": "b",
        "RECORDS_BUCKET": "c",
        "RETENTION_MONTHS": "3",
        "IDEMPOTENCY_DAYS": "31",
        "MODEL_RUNTIME": "tensorflow",
        "MODEL_REFRESH_SECONDS": "5",
        "CANDIDATE_MAX_MS": "100",
        "MONITOR_WINDOW_DAYS": "90",
        "COVERAGE_TOLERANCE": "0.05",
        "DRIFT_FALSE_ALARMS_PER_YEAR": "0.5",
        "DATABASE_HOST": "h",
        "DATABASE_PORT": "6543",
        "DATABASE_NAME": "n",
        "DATABASE_USER": "u",
        "DATABASE_PASSWORD": "p",
        "DATABASE_TLS": "off",
        "DATABASE_STORAGE_GB": "200",
        "ROLE_SECRET_ARNS": "a",
        "QUEUE_URL": "q",
        "DEAD_LETTER_QUEUE_URL": "d",
        "PAGES": "off",
        "SERVICE_NAME": "s",
        "METRICS_NAMESPACE": "m",
        "LOG_LEVEL": "DEBUG",
        "AWS_LAMBDA_LOG_STREAM_NAME": "l",
        "AWS_REGION": "r",
        "AWS_ACCESS_KEY_ID": "i",
        "AWS_SECRET_ACCESS_KEY": "k",
        "AWS_SESSION_TOKEN": "t",
        "AWS_ENDPOINT_URL": "e",
    }
    settings = Settings.from_env(given)
    written = {"role_secret_arns": ",".join(settings.role_secret_arns), "pages": "on" if settings.pages else "off"}
    read = {**vars(settings), **written}
    assert {name.upper(): str(value) for name, value in read.items()} == given


def test_maintain_needs_no_model() -> None:
    given = {name: value for name, value in MINIMAL.items() if name != "MODEL_BUCKET"}
    settings = Settings.from_env({**given, "RECORDS_BUCKET": "records"})
    assert (settings.model_bucket, settings.records_bucket) == ("", "records")


@pytest.mark.parametrize("months", ["0", "1201", "x", "1.5"])
def test_odd_retentions_are_refused(months: str) -> None:
    with pytest.raises(SettingsError, match=r"^RETENTION_MONTHS must be a whole number from 1 to 1200, not "):
        Settings.from_env({**MINIMAL, "RETENTION_MONTHS": months})


@pytest.mark.parametrize("given", ["a,b", " a , b ", "a,,b,"])
def test_secrets_are_separated_by_commas(given: str) -> None:
    assert Settings.from_env({**MINIMAL, "ROLE_SECRET_ARNS": given}).role_secret_arns == ("a", "b")


def test_every_fault_is_told_at_once() -> None:
    choices = {"MODEL_RUNTIME": "onnx", "DATABASE_TLS": "maybe", "PAGES": "maybe", "LOG_LEVEL": "loud"}
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({"DATABASE_HOST": "", "DATABASE_PORT": "0", **choices})
    assert str(caught.value).split("; ") == [
        "MODEL_BUCKET is not set",
        "MODEL_RUNTIME must be one of litert, tensorflow, not 'onnx'",
        "DATABASE_HOST is not set",
        "DATABASE_PORT must be a whole number from 1 to 65535, not '0'",
        "DATABASE_NAME is not set",
        "DATABASE_USER is not set",
        "DATABASE_TLS must be one of verify, off, not 'maybe'",
        "QUEUE_URL is not set",
        "DEAD_LETTER_QUEUE_URL is not set",
        "PAGES must be one of on, off, not 'maybe'",
        "LOG_LEVEL must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL, not 'loud'",
        "AWS_REGION is not set",
        "AWS_ACCESS_KEY_ID is not set",
        "AWS_SECRET_ACCESS_KEY is not set",
    ]


@pytest.mark.parametrize("name", ["DATABASE_PORT", "MODEL_REFRESH_SECONDS"])
@pytest.mark.parametrize(
    "number",
    [
        *("65536000000", "9" * 5000, "0", "00", "-1", "5432.0", " 5432", "5432\n", "1e3", "5_432", "+5432", "05432"),
        *("0x10", "٣", "²", "\uff15\uff14\uff13\uff12"),
    ],
)
def test_odd_numbers_are_refused(name: str, number: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name} must be a whole number from 1 to"):
        Settings.from_env(MINIMAL | {name: number})


@pytest.mark.parametrize("name", ["COVERAGE_TOLERANCE", "DRIFT_FALSE_ALARMS_PER_YEAR"])
@pytest.mark.parametrize(
    "number", ["13", "-0.04", "0,04", ".04", "4e-2", "nan", "inf", "0.04\n", " 0.04", "\u0660.\u0660"]
)
def test_odd_decimals_are_refused(name: str, number: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name} must be a number from 0"):
        Settings.from_env(MINIMAL | {name: number})


@pytest.mark.parametrize("name", ["MODEL_RUNTIME", "DATABASE_TLS", "PAGES", "LOG_LEVEL"])
@pytest.mark.parametrize("written", [str.upper, str.title, str.lower, " {}".format, "{}\n".format])
def test_choices_are_written_in_one_way(name: str, written: Callable[[str], str]) -> None:
    choice = {"MODEL_RUNTIME": "litert", "DATABASE_TLS": "verify", "PAGES": "off", "LOG_LEVEL": "INFO"}[name]
    if written(choice) != choice:
        with pytest.raises(SettingsError, match=f"^{name} must be one of"):
            Settings.from_env(MINIMAL | {name: written(choice)})


@pytest.mark.parametrize("name", [*MINIMAL, "SERVICE_NAME", "METRICS_NAMESPACE"])
@pytest.mark.parametrize("text", [" ", " a", "a\n", "\u00a0a"])
def test_blanks_around_a_text_are_refused(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name} must not begin or end with a blank$"):
        Settings.from_env(MINIMAL | {name: text})


def test_the_password_is_not_shown() -> None:
    assert "hunter2" not in repr(Settings.from_env(MINIMAL | {"DATABASE_PASSWORD": "hunter2"}))


def test_a_token_never_goes_in_plain_text() -> None:
    with pytest.raises(SettingsError, match="an IAM token in its place needs DATABASE_TLS=verify"):
        Settings.from_env(MINIMAL | {"DATABASE_TLS": "off"})
    assert Settings.from_env(MINIMAL | {"DATABASE_TLS": "off", "DATABASE_PASSWORD": "p"}).database_tls == "off"


def test_nothing_else_reads_the_environment() -> None:
    readers = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "lambda_app").rglob("*.py")
        if "os.environ" in (text := path.read_text(encoding="utf-8")) or "os.getenv" in text
    ]
    # It hands the environment to Settings.from_env.
    assert readers == ["lambda_app/handler.py"]
