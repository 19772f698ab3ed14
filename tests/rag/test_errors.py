from pathlib import Path

import pytest

from plumbline.errors import PlumblineError
from rag import errors


def test_the_tree_in_the_docstring_is_the_tree():
    classes = [c for c in vars(errors).values() if isinstance(c, type) and c.__module__ == "rag.errors"]
    assert len(classes) >= 10
    for each in classes:
        assert issubclass(each, PlumblineError)
        assert each.__name__ in (errors.__doc__ or ""), f"{each.__name__} is missing from the drawing"
        assert each.__doc__


def test_a_load_error_says_which_file_and_why():
    error = errors.EncryptedFileError(Path("a b/ü.pdf"), "it is protected by a password", hint="Remove it.")
    assert str(error) == f"Cannot read '{Path('a b/ü.pdf')}': it is protected by a password. Remove it."
    assert (error.path, error.reason) == (Path("a b/ü.pdf"), "it is protected by a password")


def test_a_path_that_is_no_unicode_can_be_shown():
    str(errors.MissingFileError("bad\udcff.txt", "there is no such file")).encode()


def test_too_large_names_the_setting_and_both_sizes():
    error = errors.TooLargeError("x.txt", 200_000_000, 100_000_000)
    assert "200 MB" in str(error)
    assert "100 MB" in str(error)
    assert "loading.max_file_bytes" in str(error)
    with pytest.raises(errors.LoadError):
        raise error
