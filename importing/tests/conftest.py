"""A server of MongoDB's wire protocol on a real socket, and what an earlier system had
in it.
"""

import json

import pytest
from bson import ObjectId
from django.core.management import call_command
from pymongo import MongoClient
from secantus import SecantusDBServer

from importing.tests.documents import NAME, earlier_system


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mongo")
    with SecantusDBServer(
        storage_path=str(folder), replica_set_name=None, cache_size="64M"
    ) as running:
        yield running


@pytest.fixture
def there(server):
    """An empty database of an earlier system."""
    name = f"{NAME}{ObjectId()}"
    with MongoClient(server.uri) as client:
        yield client[name]
        client.drop_database(name)


@pytest.fixture
def filled(there):
    """The database with a document or more of every kind, clean and dirty."""
    for collection, documents in earlier_system().items():
        there[collection].insert_many(documents)
    return there


@pytest.fixture
def bring_in(server, tmp_path, there):
    """Run the command; answers the lines of its report by collection and id."""

    def run(workspaces=None, mapping="", **options):
        chosen = {"*": "new:"} if workspaces is None else workspaces
        (tmp_path / "map.json").write_text(json.dumps(chosen))
        if mapping:
            (tmp_path / "mapping.toml").write_text(mapping)
            options["mapping"] = tmp_path / "mapping.toml"
        report = tmp_path / "report.jsonl"
        call_command(
            "import_mongodb",
            uri=f"{server.uri}{there.name}",
            source="old",
            workspace_map=tmp_path / "map.json",
            report=report,
            **options,
        )
        lines = map(json.loads, report.read_text().splitlines())
        return {
            (line["collection"], line["id"], line["outcome"]): line["reasons"]
            for line in lines
        }

    return run
