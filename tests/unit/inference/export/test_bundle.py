"""JavaScript modules in one script."""

from pathlib import Path

import pytest

from mnist_trainer.inference.export.bundle import bundle, concatenate, content_hash
from mnist_trainer.inference.export.lesson_page import LESSON


def write(folder: Path, **modules: str) -> Path:
    for name, text in modules.items():
        (folder / f"{name}.js").write_text(text)
    return folder / "main.js"


def test_a_module_comes_after_what_it_imports(tmp_path: Path) -> None:
    entry = write(
        tmp_path,
        main='import { twice as double } from "./b.js";\nimport * as a from "./a.js";\n',
        b='import { two } from "./a.js";\n\nexport const twice = (x) => two * x;\n',
        a="const two = 2;\n\nexport { two };\n",
    )
    script = bundle(entry)
    places = [script.index(f"// {name}.js") for name in ("a", "b", "main")]
    assert places == sorted(places)
    assert "const { twice: double } = modules[1];" in script
    assert "const a = modules[0];" in script
    assert "return { twice };" in script
    assert "export" not in script


def test_each_module_is_bundled_once(tmp_path: Path) -> None:
    entry = write(
        tmp_path,
        main='import { b } from "./b.js";\nimport { a } from "./a.js";\n',
        b='import { a } from "./a.js";\nexport function b() {}\n',
        a="export async function a() {}\n",
    )
    assert bundle(entry).count("// a.js") == 1


@pytest.mark.parametrize(
    ("main", "other"),
    [
        ('import { a } from "./other.js";\n', 'import { b } from "./main.js";\n'),
        ('import a from "./other.js";\n', ""),
        ("export default 3;\n", ""),
        ("export let a = 3;\n", ""),
    ],
)
def test_what_is_not_bundled_is_refused(tmp_path: Path, main: str, other: str) -> None:
    with pytest.raises(ValueError, match=r"\.js"):
        bundle(write(tmp_path, main=main, other=other))


def test_concatenated_modules_share_a_scope(tmp_path: Path) -> None:
    write(tmp_path, a="export const two = 2;\n", b='import { two } from "./a.js";\nlet x = two;\n')
    script = concatenate([tmp_path / "a.js", tmp_path / "b.js"])
    assert [line for line in script.splitlines() if line] == [
        '"use strict";',
        "const two = 2;",
        "let x = two;",
    ]


def test_the_scripts_of_the_lesson_name_no_address() -> None:
    script = bundle(LESSON / "main.js")
    assert "http" not in script
    assert "innerHTML" not in script
    # A script ends where this stands, wherever in it that is.
    assert "</script" not in script


def test_hash_of_a_script() -> None:
    assert content_hash("alert(1)") == "sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI="
