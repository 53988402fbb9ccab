"""A journey through the Models page in a real browser."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

PATIENCE_MS = 300_000  # the first look imports torch, and a busy machine is slow, not wrong
HOSTILE = "<img src=x onerror='window.hacked = 1'> **b**"


def look_at(page, name: str) -> None:
    page.get_by_role("textbox", name="Folder, or hub name").fill(name)
    page.get_by_role("button", name="Look at it").click()


def test_a_checkpoint_is_looked_at_recorded_and_watched(visit, picture, assets, go):
    page = visit("models", drawn=False, accept_downloads=True)
    expect(page.get_by_text("What can be looked at")).to_be_visible()
    look_at(page, "../outside")
    told = page.locator("[data-testid=stAlert]").first
    expect(told).to_contain_text("lies outside of", timeout=PATIENCE_MS)
    look_at(page, HOSTILE)
    expect(told).to_contain_text(f"There is no {HOSTILE}", timeout=PATIENCE_MS)
    assert page.evaluate("window.hacked") is None

    page.get_by_role("button", name="Detect", exact=True).click()
    report = page.locator(".report")
    expect(report).to_contain_text("record a text with it.", timeout=PATIENCE_MS)
    expect(report.locator(".block")).to_have_text(["[CLS]", "8 memory", "[SEP]", "64 tokens", "[SEP]"])
    picture(page, "models-report")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Report as JSON").click()
    found = waiting.value.path().read_text()
    assert json.loads(found)["ready"] and str(assets) not in found
    page.get_by_role("button", name="Record", exact=True).click()
    page.wait_for_url("**trace=live-*", timeout=PATIENCE_MS)
    expect(page.locator("[data-testid=stSidebar]")).to_contain_text("Live run · checkpoint detect")

    go(page, "models")
    drop = page.get_by_role("region", name="A trace").locator("input")
    drop.set_input_files(assets / "traces" / "damaged.trace.safetensors")
    expect(page.get_by_text("The file is not a whole trace")).to_be_visible()
    drop.set_input_files(assets / "traces" / "hostile.trace.safetensors")
    page.wait_for_url("**trace=live-*")
    expect(page.locator("[data-testid=stSidebar]")).to_contain_text("Uploaded · checkpoint toy")
    assert page.evaluate("window.hacked") is None


CHINESE = "我爱北京天安门。小明在哪里？小明在花园。"
KINDS = {  # how the page looks, the text, what its report says, what a run of it shows
    "adapter": ("light", "w5 w6 w7 w8 w9 w10 w11 w12 w13", "is merged into", "w8"),
    "names": ("dark", "w5 w6 w7 w8 w9 w10 w11 w12 w13", "gives a class to every token: that head is left out", "w8"),
    "several": ("light", "w5 w6 w7 w8 w9 w10 w11 w12 w13", "yes or no to each of its classes on its own", "w8"),
    "chinese": ("dark", CHINESE, "which predicts masked tokens", "北"),
}


@pytest.fixture(scope="module")
def models(brought) -> Path:
    """Folders as their programs leave them: an adapter of peft beside its base, a model that names things, a classifier
    with several labels, and a BERT of Chinese characters."""
    from strangers import V, saved, stock
    from test_own_adapters import tuned

    tuned(stock("GPT2LMHeadModel")).save_pretrained(brought / "adapter")
    saved(brought / "base", stock("GPT2LMHeadModel"))
    told = brought / "adapter" / "adapter_config.json"
    told.write_text(json.dumps({**json.loads(told.read_text()), "base_model_name_or_path": "../base"}))
    names = {"id2label": {0: "O", 1: "B-PER", 2: "I-PER"}}
    saved(brought / "names", stock("BertForTokenClassification", **names))
    labels = {"id2label": {0: "toxic", 1: "insult", 2: "threat"}, "problem_type": "multi_label_classification"}
    saved(brought / "several", stock("BertForSequenceClassification", **labels))
    saved(brought / "chinese", stock("BertForMaskedLM"), words=False)
    words = ["[PAD]", "[UNK]", "[MASK]", "[CLS]", "[SEP]", *dict.fromkeys(CHINESE)]
    words += [f"[unused{i}]" for i in range(V - len(words))]
    (brought / "chinese" / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    settings = {"tokenizer_class": "BertTokenizer", "tokenize_chinese_chars": True}
    (brought / "chinese" / "tokenizer_config.json").write_text(json.dumps(settings))
    return brought


@pytest.mark.parametrize("kind", KINDS)
def test_a_stranger_is_looked_at_recorded_and_watched(visit, picture, models, kind):
    theme, text, said, token = KINDS[kind]
    page = visit("models", drawn=False, theme=theme)
    look_at(page, kind)
    report = page.locator(".report")
    expect(report).to_contain_text("choose how many tokens a segment is to hold", timeout=PATIENCE_MS)
    page.get_by_role("spinbutton", name="Tokens a segment").fill("4")
    page.get_by_role("button", name="Look again").click()
    expect(report).to_contain_text("record a text with it.", timeout=PATIENCE_MS)
    expect(report).to_contain_text(said)
    if kind == "several":
        expect(report.locator(".classes")).to_have_text("It says yes or no to each of toxic, insult, threat.")
    picture(page, f"models-{kind}")
    page.get_by_role("textbox", name="Text", exact=True).fill(text)
    page.get_by_role("button", name="Record", exact=True).click()
    page.wait_for_url("**trace=live-*", timeout=PATIENCE_MS)
    page.locator(".surface[data-drawn]").wait_for()
    expect(page.locator("[data-testid=stSidebar]")).to_contain_text("untrained memory")
    expect(page.locator(".surface")).to_contain_text(token)
    picture(page, f"models-{kind}-watched")


def test_what_only_a_visitor_knows_is_chosen(visit, picture, brought):
    """A switch for the special tokens of a text, and the options of a package that are in no tensor."""
    from package_models import kept
    from strangers import saved, stock, tokenizer
    from test_package_rmt import folder
    from tokenizers.processors import TemplateProcessing

    begins = saved(brought / "begins", stock("LlamaForCausalLM"))
    words = tokenizer()
    words.post_processor = TemplateProcessing(single="[CLS] $A", special_tokens=[("[CLS]", 3)])
    words.save(str(begins / "tokenizer.json"))
    folder(brought / "package", kept("default")[0])
    page = visit("models", drawn=False)
    look_at(page, "package")
    expect(page.locator(".report")).to_contain_text("XL memories", timeout=PATIENCE_MS)
    expect(page.get_by_role("combobox", name="Made with")).to_have_count(2)
    page.get_by_role("button", name="Look again").click()
    expect(page.locator(".report")).to_contain_text("record a text with it.", timeout=PATIENCE_MS)
    picture(page, "models-package")
    look_at(page, "begins")
    page.get_by_role("spinbutton", name="Tokens a segment").fill("4")
    page.get_by_role("button", name="Look again").click()
    switch = page.get_by_text("The text begins with [CLS]")
    expect(switch).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("textbox", name="Text", exact=True).fill("w5 w6 w7 w8 w9")
    switch.click()
    picture(page, "models-special-tokens")
    page.get_by_role("button", name="Record", exact=True).click()
    page.wait_for_url("**trace=live-*", timeout=PATIENCE_MS)
    page.locator(".surface[data-drawn]").wait_for()
    expect(page.locator(".surface")).to_contain_text("w5")
    assert "[CLS]" not in page.locator(".surface").inner_text()
