"""The one line that each fault gets which keeps the embedded stack from starting: ports, addresses, disks, data."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.aws_services import AwsServices
from local.cluster import initialise
from local.errors import StackError
from local.ports import LOOPBACK, describe_port_problem, find_free_ports
from local.postgres import Postgres
from local.stack import running_stack
from tests.integration.conftest import STACK_PROGRAM
from tests.machine import find_port_row, require

REPOSITORY = Path(__file__).resolve().parents[2]
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """One that everybody may enter and write, which pytest's are not."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o777)
        yield directory
        for path in (directory, *directory.iterdir()):
            path.chmod(0o700)


def run_as_nobody(directory: Path, port: int) -> str:
    """The line by which a start ends that must not succeed; root, who may do all, takes another user's place."""
    prefix = NOBODY if os.geteuid() == 0 else ()
    command = [*prefix, sys.executable, "-c"]
    tried = subprocess.run([*command, "import local.stack"], cwd=REPOSITORY, capture_output=True, check=False)
    require(tried.returncode == 0, "setpriv, and a repository that everybody may read")
    done = subprocess.run(
        [*command, STACK_PROGRAM, str(directory), str(port)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    [line] = done.stderr.splitlines()
    return line


@pytest.fixture(scope="module")
def sound_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("sound") / "postgres"
    initialise(directory)
    return directory


def put_a_file_in_place(data: Path) -> None:
    shutil.rmtree(data)
    data.touch()


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (lambda data: shutil.rmtree(data / "global"), "global/pg_control"),
        (lambda data: (data / "PG_VERSION").write_text("16\n"), "PostgreSQL 16 made it, and this is 18"),
        (lambda data: (data / "PG_VERSION").unlink(), "No such file or directory: "),
        (lambda data: (data / "postgresql.conf").write_text("nonsense"), "contains errors"),
        (put_a_file_in_place, "Not a directory: "),
    ],
)
def test_a_broken_directory_gets_one_line(
    tmp_path: Path, sound_directory: Path, damage: Callable[[Path], object], fault: str
) -> None:
    shutil.copytree(sound_directory, tmp_path / "postgres")
    postgres = Postgres(tmp_path / "postgres", find_free_ports(1)[0])
    damage(postgres.directory / "data")
    with pytest.raises(StackError) as caught:
        postgres.start()
    line = str(caught.value)
    assert line.startswith(f"The database in {tmp_path}/postgres can't be used (")
    assert fault in line
    assert line.endswith("move that directory away to begin with an empty one")
    assert "\n" not in line
    assert postgres.pid is None


@pytest.mark.parametrize(
    ("first", "port", "purpose"), [(65534, 65536, "S3 and SQS"), (65535, 65536, "the database"), (-1, -1, "the API")]
)
def test_a_port_that_does_not_exist_gets_one_line(tmp_path: Path, first: int, port: int, purpose: str) -> None:
    with pytest.raises(StackError) as caught, running_stack(tmp_path, first):
        pass
    assert str(caught.value) == f"Port {port}, for {purpose}, doesn't exist: use others, for example make run PORT=8000"
    assert not (tmp_path / "postgres").exists()


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("192.0.2.1", "Cannot assign requested address"),
        ("::1", "Address family for hostname not supported"),
        ("nowhere.invalid", "Name or service not known"),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="each system has its own words")
def test_an_address_that_no_server_can_have_gets_one_line(tmp_path: Path, host: str, reason: str) -> None:
    with pytest.raises(StackError) as caught, running_stack(tmp_path, find_port_row(), host):
        pass
    assert str(caught.value) == f"{host} can't be opened ({reason}): LISTEN must be an IPv4 address of this machine"


def read_first_port_of_everybody() -> int:
    path = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    return int(path.read_text()) if path.exists() else 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may open such a port, which PostgreSQL then may not")
@pytest.mark.skipif(read_first_port_of_everybody() < 1024, reason="here everybody may open such a port")
def test_a_port_that_root_may_open_and_postgresql_may_not_is_named(tmp_path: Path) -> None:
    port = next(port for port in range(1023, 0, -1) if describe_port_problem(port) is None)
    with pytest.raises(StackError) as caught:
        Postgres(tmp_path / "postgres", port).start()
    assert str(caught.value) == (
        f"Port {port}, for the database, can't be opened by PostgreSQL (Permission denied): "
        "use others, for example make run PORT=8000"
    )


@pytest.mark.skipif(read_first_port_of_everybody() < 1024, reason="here everybody may open such a port")
def test_a_port_that_only_root_may_open_is_named(open_directory: Path) -> None:
    line = run_as_nobody(open_directory, 1020)
    assert (
        line
        == "Port 1020, for the API, can't be opened (Permission denied): use others, for example make run PORT=8000"
    )


def test_a_directory_that_may_not_be_written_gets_one_line(open_directory: Path) -> None:
    (open_directory / "closed").mkdir(mode=0o555)
    stack = open_directory / "closed" / "stack"
    line = run_as_nobody(stack, find_port_row())
    told = f"The database in {stack}/postgres can't be used (Permission denied: {stack})"
    assert line == f"{told}: let the user who runs this own it"


def test_data_of_another_user_get_one_line(open_directory: Path, sound_directory: Path) -> None:
    directory = open_directory / "postgres"
    shutil.copytree(sound_directory, directory)
    directory.chmod(0o000)
    line = run_as_nobody(open_directory, find_port_row())
    assert line.startswith(f"The database in {directory} can't be used (Permission denied: {directory}")
    assert line.endswith("): let the user who runs this own it")


@pytest.mark.parametrize("megabytes", [1, 30])
def test_a_full_disk_gets_one_line(tmp_path: Path, megabytes: int) -> None:
    """Too small for the first files of a database, and for the rest of them."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    require(mounted.returncode == 0, "the right to mount a small file system")
    try:
        with pytest.raises(StackError) as caught:
            Postgres(tmp_path / "postgres", find_free_ports(1)[0]).start()
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
    line = str(caught.value)
    assert line.startswith(f"No database could be made in {tmp_path}/postgres: ")
    assert line.endswith("No space left on device")
    assert "\n" not in line


def test_a_taken_port_gets_one_line_that_names_the_flag(tmp_path: Path) -> None:
    [port] = find_free_ports(1)
    servers: dict[str, Postgres | AwsServices] = {
        "the database": Postgres(tmp_path / "postgres", port),
        "S3 and SQS": AwsServices(tmp_path / "aws.log", port),
    }
    with socket.create_server((LOOPBACK, port)):
        for purpose, server in servers.items():
            with pytest.raises(StackError) as caught:
                server.start()
            hint = f"use others, for example make run PORT={port // 10 * 10 + 1000}"
            assert str(caught.value) == f"Port {port}, for {purpose}, is taken: {hint}"
