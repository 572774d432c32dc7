"""The mutants can still be made; whether they are noticed is what ``sh scripts/mutants.sh`` shows."""

import shutil

import pytest

from tests.faults.mutants import MUTANTS, ROOT, apply


def test_there_are_44_and_each_names_a_test_that_is_there():
    assert len(MUTANTS) == 44
    for mutant in MUTANTS:
        file, _, name = mutant.test.partition("::")
        assert name.partition("[")[0] in (ROOT / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.words)
def test_a_mutant_still_fits_the_code(mutant, tmp_path):
    for change in mutant.changes:
        (tmp_path / change.file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / change.file, tmp_path / change.file)
    apply(mutant, tmp_path)
    for file in {change.file for change in mutant.changes}:
        compile((tmp_path / file).read_text(encoding="utf-8"), file, "exec")
