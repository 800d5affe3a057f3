"""Bugs planted into copies of the sources: the tests named beside have to catch each of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bed import SOURCES

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Plant:
    name: str
    file: str
    right: str
    wrong: str
    test: str  # part of the ids of the tests that have to fail


PLANTS = (
    Plant("the MAC is not compared", "token.c", "CRYPTO_memcmp(given, wanted, MAC_BYTES) == 0",
          "true", "TestExtension.test_each_field_altered"),
    Plant("half of the MAC is compared", "token.c", "CRYPTO_memcmp(given, wanted, MAC_BYTES) == 0",
          "CRYPTO_memcmp(given, wanted, MAC_BYTES / 2) == 0",
          "TestExtension.test_each_field_altered"),
    Plant("a missing key is no hindrance", "token.c", "if (keys != NULL && !authentic",
          "if (keys != NULL && keys->count > 0 && !authentic",
          "TestKeys.test_start_without_keys_is_closed"),
    Plant("any key answers for any id", "token.c",
          "memcmp(keys->key[i].kid, kid.at, kid.size) == 0", "true", "TestExtension.test_keys"),
    Plant("other versions pass", "token.c", "memcmp(fields[FIELD_VERSION].at, kVersion, "
          "sizeof kVersion - 1) != 0", "false", "TestExtension.test_each_field_signed_wrong"),
    Plant("the process is not compared", "settings.c", " && token->pid == MyProcPid", "",
          "TestExtension.test_each_field_signed_wrong"),
    Plant("the start is not compared", "settings.c",
          "token->start_us == unix_us(MyStartTimestamp)", "true",
          "TestExtension.test_each_field_signed_wrong"),
    Plant("the database is not compared", "settings.c", "token->database == MyDatabaseId && ", "",
          "TestExtension.test_of_another_database"),
    Plant("expiry is not looked at when set", "settings.c",
          "if (guard_has_expired(token.expiry_us)) {", "if (false) {",
          "TestHidden.test_expired_is_refused_when_set"),
    Plant("expiry is not looked at when used", "functions.c",
          "if (guard_has_expired(context->expiry_us)) {",
          "if (false) {", "TestExtension.test_expiry"),
    Plant("the text is shown always", "settings.c", "context->shown = true;", "",
          "TestHidden.test_token"),
    Plant("the value is in the message", "settings.c", 'GUC_check_errmsg("%s", message);', "",
          "TestHidden.test_messages"),
    Plant("workers verify too", "settings.c",
          "if (InitializingParallelWorker) return take_over(text, extra);", "",
          "TestExtension.test_parallel_workers"),
    Plant("any source may set", "settings.c",
          "if (source != PGC_S_SESSION || !IsTransactionState()) return refuse_invalid();",
          "if (source != PGC_S_SESSION) return take_over(text, extra);",
          "TestExtension.test_at_login_and_of_a_role"),
    Plant("the extra is not assigned", "settings.c", "  context = extra;\n",
          "  if (extra != NULL) context = extra;\n", "TestExtension.test_reset"),
    Plant("files of others are read", "keys.c", "if ((info.st_mode & 077) != 0)", "if (false)",
          "TestKeys.test_bad_files_leave_the_keys"),
    Plant("keys are lost by a bad file", "settings.c", "  if (wrong != NULL) {\n    free(loaded);",
          "  if (false) {\n    free(loaded);", "TestKeys.test_bad_files_leave_the_keys"),
    Plant("a prefix of a role is the role", "context.c", "*at == size && ", "*at >= size && ",
          "TestExtension.test_says_who"),
)  # fmt: skip


def caught(plant: Plant, folder: Path) -> bool:
    """Whether the tests fail with the bug; a build that fails would prove nothing."""
    source = folder / "source"
    shutil.copytree(SOURCES, source)
    path = source / plant.file
    text = path.read_text()
    if text.count(plant.right) != 1:
        print(f"the place of the bug was not found in {plant.file}")
        return False
    path.write_text(text.replace(plant.right, plant.wrong))
    done = subprocess.run(
        [HERE / "run", "--short", plant.test],
        env={**os.environ, "POSTERN_GUARD_BUILD": str(folder)},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    said = done.stdout + done.stderr
    if "make all" in said:
        print(said[-2000:])
        return False
    return done.returncode != 0 and f"{plant.test}" in said


def main(names: list[str]) -> int:
    passed = failed = 0
    for plant in PLANTS:
        if names and not any(name in plant.name for name in names):
            continue
        with tempfile.TemporaryDirectory(prefix="postern-guard-") as folder:
            found = caught(plant, Path(folder))
        print(f"{plant.name} ... {'caught' if found else 'NOT CAUGHT'}", flush=True)
        passed, failed = passed + found, failed + (not found)
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
