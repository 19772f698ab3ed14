from pathlib import Path

import pytest

from rag.ingest.load.code import read_code
from rag.types import Section

SAMPLES = {
    "python": (
        (
            "import os\n\n# about A\n@deco\nclass A(B):\n    def f(self):\n        return g(1)\n\n"
            "    async def h(self):\n        pass\n\nX = 1\n\ndef k():\n    pass\n"
        ),
        ["A", "A > f", "A > h", "k"],
    ),
    "java": (
        (
            "package a.b;\nimport x.Y;\npublic class Foo {\n  public String toString() {\n    return helper(x);\n  }\n"
            "  interface In { void m(); }\n}\n"
        ),
        ["Foo", "Foo > toString", "Foo > In"],
    ),
    "javascript": (
        (
            "function foo(a) { return {b: 1}; }\nclass K extends L {\n  method(y) {\n    if (y) { foo(y); }\n  }\n}\n"
            "const z = (a) => {\n  return a;\n};\n"
        ),
        ["foo", "K", "K > method", "z"],
    ),
    "typescript": (
        (
            "export interface I { a: string; }\nexport class K<T> {\n  private x: number;\n"
            "  run(a: string): void { this.go(a); }\n}\n"
        ),
        ["I", "K", "K > run"],
    ),
    "go": (
        "package main\n\ntype T struct {\n\tA int\n}\n\n// Do does.\nfunc (t *T) Do(x int) error {\n}\n",
        ["T", "Do"],
    ),
    "rust": ("mod m {\n    pub fn new(x: i32) -> i32 { x }\n}\nfn main() { m::new(1); }\n", ["m", "m > new", "main"]),
    "cpp": (
        "#include <x>\nnamespace a {\nclass B {\n};\nint B::h(int y) {\n  return y;\n}\n}\n",
        ["a", "a > B", "a > B::h"],
    ),
    "c": ("int add(int a);\nstatic int add(int a) {\n  return sub(a);\n}\n", ["add"]),
    "csharp": ("namespace N {\n  class C {\n    void M(int a) { W(a); }\n  }\n}\n", ["N", "N > C", "N > C > M"]),
    "ruby": ("module M\n  class A < B\n    def f(x)\n      x\n    end\n  end\nend\n", ["M", "M > A", "M > A > f"]),
    "php": ("<?php\nclass B {\n  public function f($x) { return $x; }\n}\n", ["B", "B > f"]),
    "kotlin": ("package a\nclass B(val x: Int) {\n  fun f(a: Int): Int { return a }\n}\n", ["B", "B > f"]),
    "bash": ("#!/bin/bash\nfoo() {\n  echo 1\n}\nfunction bar {\n  foo\n}\n", ["foo", "bar"]),
    "sql": ("CREATE TABLE prices (\n  item text\n);\ncreate or replace view v as select 1;\n", ["prices", "v"]),
    "toml": ('[project]\nname = "x"\n[tool.ruff]\nline = 1\n', ["project", "tool.ruff"]),
    "yaml": ("a: 1\nloading:\n  workers: 1\nserve:\n  port: 2\n", ["loading", "serve"]),
    "css": ("a { color: red; }\n", []),
}


def read(language: str, text: str):
    found = read_code(text.encode(), Path("a"), media_type=f"text/x-{language}")
    assert found.text == text, "code stays as it is written"
    return found


def headings(sections: tuple[Section, ...]) -> list[str]:
    return [" > ".join(section.path) for section in sections]


@pytest.mark.parametrize("language", sorted(SAMPLES))
def test_definitions_are_sections(language: str):
    text, expected = SAMPLES[language]
    assert headings(read(language, text).sections) == expected


def test_a_definition_has_its_comments_and_ends_where_it_ends():
    text = SAMPLES["python"][0]
    first, method, *_ = read("python", text).sections
    assert text[first.start : first.end].startswith("# about A\n@deco\nclass A")
    assert text[first.start : first.end].endswith("        pass\n")
    assert text[method.start : method.end] == "    def f(self):\n        return g(1)\n"


def test_braces_in_strings_and_comments_do_not_count():
    text = 'class A {\n  String s = "}";\n  // }\n  void f() { }\n}\nclass B { }\n'
    found = read("java", text).sections
    assert headings(found) == ["A", "A > f", "B"]
    assert text[found[0].start : found[0].end].endswith("f() { }\n}")


@pytest.mark.parametrize(
    "text", ["class a {\n" * 3000, "def f(): pass; " * 3000, "}" * 9000, '"' * 9999, "x\r\ny\n" * 9]
)
@pytest.mark.parametrize("language", ["java", "python", "javascript"])
def test_what_no_compiler_takes_is_read(language: str, text: str):
    found = read_code(text.encode(), Path("a"), media_type=f"text/x-{language}")
    assert all(len(section.path) <= 21 for section in found.sections)


def test_generated_files_have_no_sections():
    assert read("python", "def f():\n    pass\n" * 40_000).sections == ()
