from email.message import EmailMessage
from pathlib import Path

import pytest

from rag.errors import DamagedFileError, LoadError
from rag.ingest.structure import heading_path
from tests.rag.ingest.load.msg_files import Attached, compound, msg
from tests.rag.ingest.load.test_zip import archive, read


def mail(subject: str = "Your refund", text: str = "Dear customer,\n\nit is paid.\n") -> EmailMessage:
    made = EmailMessage()
    made["From"] = "Shöp <shop@example.org>"
    made["To"] = "me@example.org, Ann Other <ann@example.org>"
    made["Subject"] = subject
    made["Date"] = "Mon, 01 Apr 2024 10:00:00 +0000"
    made.set_content(text)
    return made


def test_the_message_comes_first_with_its_headers(tmp_path: Path):
    made = mail("Rückgabe")
    made.add_alternative("<h1>Web</h1><p>Other form.</p>", subtype="html")
    found = read(tmp_path, "a.eml", bytes(made))
    (document,) = found.documents
    assert document.text == (
        "Subject: Rückgabe\nFrom: Shöp <shop@example.org>\nTo: me@example.org, Ann Other <ann@example.org>\n"
        "Date: Mon, 01 Apr 2024 10:00:00 +0000\n\nDear customer,\n\nit is paid."
    )
    assert document.created == "2024-04-01"
    assert document.metadata["from"] == "Shöp <shop@example.org>"
    assert document.metadata["to"] == ("me@example.org", "Ann Other <ann@example.org>")
    assert (document.metadata["subject"], document.metadata["title"]) == ("Rückgabe", "Rückgabe")
    assert document.metadata["sent"] == "2024-04-01T10:00:00+00:00"


def test_attachments_are_documents_and_names_stay_apart(tmp_path: Path):
    made = mail()
    for days in ("30", "14"):
        made.add_attachment(f"item,days\nshoes,{days}\n".encode(), maintype="text", subtype="csv", filename="../r.csv")
    made.add_attachment(b"\0\1", maintype="application", subtype="octet-stream", filename="x.bin")
    made.add_attachment(archive(("in.txt", "inside text")), maintype="application", subtype="zip", filename="a.zip")
    made.add_attachment(b"\x89PNG", maintype="image", subtype="png", filename="logo.png", disposition="inline")
    found = read(tmp_path, "a.eml", bytes(made))
    assert [(each.name, each.text) for each in found.documents[1:]] == [
        ("a.eml!/r.csv", "item: shoes; days: 30"),
        ("a.eml!/r (2).csv", "item: shoes; days: 14"),
        ("a.eml!/a.zip!/in.txt", "inside text"),
    ]
    assert [problem.name for problem in found.problems] == ["x.bin"]
    assert found.documents[1].metadata["modified"] == "2024-04-01T10:00:00+00:00"


def test_messages_inside_messages(tmp_path: Path):
    inner = mail("Inner", "Inner text.")
    inner.add_attachment(b"Attached text.", maintype="text", subtype="plain", filename="deep.txt")
    made = mail()
    made.add_attachment(inner)
    found = read(tmp_path, "a.eml", bytes(made))
    assert [each.name for each in found.documents] == ["a.eml", "a.eml!/Inner.eml", "a.eml!/Inner.eml!/deep.txt"]
    assert found.documents[1].text.endswith("Inner text.")
    assert len({each.hash for each in found.documents}) == 3


def test_a_message_that_is_a_web_page_keeps_its_headings(tmp_path: Path):
    made = EmailMessage()
    made["Subject"] = "News"
    made.set_content("<html lang='de'><body><h1>Kopf</h1><p>Der Text.</p></body></html>", subtype="html")
    (document,) = read(tmp_path, "a.eml", bytes(made)).documents
    assert document.text == "Subject: News\n\nKopf\n\nDer Text."
    assert heading_path(document, document.text.index("Der")) == "Kopf"
    assert document.language == "de"


@pytest.mark.parametrize("charset", ["iso-2022-jp", "shift_jis", "utf-8", "euc-jp"])
def test_charsets_that_the_message_names(tmp_path: Path, charset: str):
    text = "返金には三十日かかります。"
    head = f"Subject: x\nContent-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: 8bit\n\n"
    (document,) = read(tmp_path, "a.eml", head.encode() + text.encode(charset)).documents
    assert document.text.endswith(text)
    assert document.language == "ja"


def test_what_is_no_mail(tmp_path: Path):
    with pytest.raises(DamagedFileError, match="no e-mail"):
        read(tmp_path, "a.eml", b"just some text, hello\n" * 20)


def test_broken_mails_never_raise_anything_else(tmp_path: Path):
    made = mail()
    made.add_attachment(b"a,b\n1,2\n", maintype="text", subtype="csv", filename="ünï.csv")
    made.add_attachment(mail("Inner"))
    whole = bytes(made)
    for seed in range(150):
        broken = bytearray(whole)
        for step in range(1 + seed % 20):
            broken[(seed * 7919 + step * 104729) % len(broken)] = (seed * 31 + step) % 256
        try:
            read(tmp_path, "a.eml", bytes(broken))
        except LoadError:
            continue


def outlook() -> bytes:
    inner = msg("Inner", "Inner text.", [Attached("deep.txt", b"Deep text.")])
    parts = [
        Attached("report.csv", b"item,days\nshoes,30\n"),
        Attached("long.txt", b"Long text here. " * 1000),
        Attached("Inner", inner),
        Attached("photo.png", b"x"),
    ]
    return compound(msg("Your refund", "Dear customer,\r\n\r\nit is paid.", parts))


def test_outlook_messages_and_what_is_attached(tmp_path: Path):
    pytest.importorskip("olefile")
    found = read(tmp_path, "a.msg", outlook())
    assert [each.name for each in found.documents] == [
        "a.msg",
        "a.msg!/report.csv",
        "a.msg!/long.txt",
        "a.msg!/Inner.msg",
        "a.msg!/Inner.msg!/deep.txt",
    ]
    first = found.documents[0]
    assert first.text.endswith("Dear customer,\n\nit is paid.")
    assert (first.created, first.metadata["from"]) == ("2024-04-01", "Shop <shop@example.org>")
    assert found.documents[3].text.endswith("Inner text.")
    assert [problem.name for problem in found.problems] == ["photo.png"]


def test_an_outlook_message_that_is_a_web_page(tmp_path: Path):
    pytest.importorskip("olefile")
    data = compound(msg("News", "", html=b"<h1>Kopf</h1><p>Der Text.</p>"))
    (document,) = read(tmp_path, "a.msg", data).documents
    assert heading_path(document, document.text.index("Der")) == "Kopf"


def test_broken_outlook_messages(tmp_path: Path):
    pytest.importorskip("olefile")
    whole = outlook()
    for data in (b"no message" * 200, whole[:700], compound({"other": b"x"})):
        with pytest.raises(DamagedFileError, match="Outlook"):
            read(tmp_path, "a.msg", data)
    for seed in range(100):
        broken = bytearray(whole)
        for step in range(1 + seed % 20):
            broken[(seed * 7919 + step * 104729) % len(broken)] = (seed * 31 + step) % 256
        try:
            read(tmp_path, "a.msg", bytes(broken))
        except LoadError:
            continue
