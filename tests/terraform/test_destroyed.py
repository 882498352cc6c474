"""The end of the environment dev: `terraform destroy` leaves nothing of it."""

from concurrent.futures import Future

from lambda_app.project import PREFIX
from tests.terraform.applied import Applied
from tests.terraform.listing import LISTS, find_listed


def test_destroy_leaves_nothing(applied: Applied, listed: set[str], destroying: Future[dict[str, int]]) -> None:
    # Each list named a part of the environment before.
    assert listed == {f"{service}.{name}" for service, names in LISTS.items() for name in names}
    assert destroying.result() == {"add": 0, "change": 0, "remove": applied.changes["add"]}
    assert applied.root.run("state", "list").stdout == ""
    assert find_listed(applied) == set()
    assert list_keys(applied) == ["PendingDeletion"]


def list_keys(applied: Applied) -> list[str]:
    """Return the states of the KMS keys that Terraform made. A deleted key stays for days."""
    kms = applied.client("kms")
    keys = [kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"] for key in kms.list_keys()["Keys"]]
    return [key["KeyState"] for key in keys if f"{PREFIX}-dev" in key["Description"]]
