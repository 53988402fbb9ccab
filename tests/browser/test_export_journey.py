"""A run taken away: as a file that opens offline, and in a notebook's frame."""

import base64
import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import expect

from rmt.viewer.attention_slices import attention
from rmt.viewer.page import page as whole_page
from rmt.viewer.page import show
from rmt_viz.shelf.library import Library
from rmt_viz.site.export import export_site


@pytest.fixture
def offline(browser):
    """offline(path) opens a file without any network; a request that leaves the file, or an error, fails the test."""
    contexts, wrong = [], []

    def open_file(path):
        context = browser.new_context(offline=True, viewport={"width": 1280, "height": 720})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(f"page error: {error}"))
        page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
        page.on("request", lambda r: None if r.url.startswith(("file:", "data:", "blob:")) else wrong.append(r.url))
        page.goto(path.as_uri())
        return page

    yield open_file
    for context in contexts:
        context.close()
    assert not wrong, wrong


def test_the_run_is_taken_home_and_steps_without_a_server(visit, offline, picture, assets, tmp_path):
    page = visit("?trace=detect-64", accept_downloads=True)
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as waiting:
        page.get_by_role("link", name="The whole run as one HTML file").click()
    file = tmp_path / "run.html"
    waiting.value.save_as(file)
    assert file.stat().st_size < 5_000_000
    here = offline(file)
    sentence = here.locator(".sentence")
    expect(sentence).to_contain_text("Segment 22 of 64 writes a fact")
    here.keyboard.press("ArrowRight")
    expect(sentence).to_contain_text("Segment 23 of 64")
    here.keyboard.press("End")
    expect(sentence).to_contain_text("Segment 64 of 64")
    here.keyboard.press("1")
    expect(here.locator(".surface")).to_have_attribute("data-drawn", "22")
    picture(here, "export-offline")
    for name, told in (("Memory reset", "memory reset before every segment"), ("Untrained", "never trained")):
        here.get_by_role("button", name=name).click()
        expect(here.locator(".about")).to_contain_text(told)
        expect(here.locator(".surface")).to_have_attribute("data-drawn", "22")
        expect(here.get_by_role("button", name=name)).to_have_attribute("aria-pressed", "true")
    picture(here, "export-offline-control")
    here.keyboard.press("ArrowRight")
    expect(sentence).to_contain_text("Segment 23 of 64")
    here.keyboard.press("ArrowLeft")
    here.get_by_role("button", name="Trained", exact=True).click()
    expect(here.locator(".about")).not_to_contain_text("Control")
    # The maps of one head, made in the browser, are those that the server makes.
    here.get_by_label("layer", exact=True).select_option("2")
    here.get_by_label("head", exact=True).select_option("3")
    expect(here.locator(".panel.maps .note")).to_have_text("layer 2, head 3")
    page.keyboard.press("Escape")
    page.get_by_label("layer", exact=True).select_option("2")
    page.get_by_label("head", exact=True).select_option("3")
    expect(page.locator(".panel.maps .note")).to_have_text("layer 2, head 3")
    tables = []
    for each in (here, page):
        card = each.locator(".panel.maps")
        card.get_by_role("button", name="Numbers as a table").click()
        tables.append(card.locator("tbody tr").all_inner_texts())
    assert len(tables[0]) == 64
    numbers = [[[float(cell) for cell in re.findall(r"\t(\d\.\d+)", line)] for line in table] for table in tables]
    for ours, theirs in zip(*numbers, strict=True):
        assert ours == pytest.approx(theirs, abs=0.011), "as shown: two or three digits"


WIDTHS = """(nodes) => Object.fromEntries(nodes.filter((node) => node.textContent.trim()).map((node) =>
  [node.textContent, node.getComputedTextLength()]))"""
INK = """async ([data, top, bottom]) => {
  const image = new Image()
  image.src = data
  await image.decode()
  const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height })
  const context = canvas.getContext("2d")
  context.drawImage(image, 0, 0)
  const { data: pixels } = context.getImageData(0, top, image.width, bottom - top)
  let last = 0
  for (let i = 0; i < pixels.length; i += 4) {
    if (pixels[i] + pixels[i + 1] + pixels[i + 2] < 380) last = Math.max(last, (i / 4) % image.width)
  }
  return last
}"""


def test_saved_figures_look_the_same_where_the_font_is_not_installed(visit, offline, tmp_path):
    page = visit("why?trace=detect", drawn=False, accept_downloads=True)
    figure = page.locator(".st-key-figure-why-segments")
    title = figure.locator("text.gtitle")
    expect(title).to_be_visible()
    here, saved = figure.locator(".main-svg text").evaluate_all(WIDTHS), {}
    box = title.evaluate("(node) => { const { x, y, width, height } = node.getBBox(); return [x, y, width, height] }")
    for kind in ("SVG", "PNG"):
        with page.expect_download() as waiting:
            figure.get_by_role("button", name=f"Save as {kind}").click()
        saved[kind] = tmp_path / f"figure.{kind.lower()}"
        waiting.value.save_as(saved[kind])
    away = offline(saved["SVG"])
    away.evaluate("document.fonts.ready.then(() => null)")
    assert away.evaluate("[...document.fonts].some(({ status }) => status === 'loaded')"), "the font is in the file"
    there = away.locator("text").evaluate_all(WIDTHS)
    assert len(here) > 10 and there == pytest.approx(here, abs=0.5), "titles and all are complete, and as wide"
    png = "data:image/png;base64," + base64.b64encode(saved["PNG"].read_bytes()).decode()
    x, y, width, height = box
    last = page.evaluate(INK, [png, int(2 * y), int(2 * (y + height))])
    assert last == pytest.approx(2 * (x + width), abs=12), "its title ends where it does on the page"

    watch = visit("watch?trace=toy", accept_downloads=True)
    watch.get_by_role("button", name="Export").click()
    with watch.expect_download() as waiting:
        watch.locator("dialog").get_by_role("button", name="SVG").first.click()
    waiting.value.save_as(tmp_path / "card.svg")
    assert (
        "@font-face" in (tmp_path / "card.svg").read_text() and offline(tmp_path / "card.svg").locator("text").count()
    )


def test_a_hostile_run_in_a_notebook_is_text(offline, assets, tmp_path):
    trace = Library(assets / "traces").open("hostile").trace
    file = tmp_path / "notebook.html"
    file.write_text(f"<!doctype html><body>{show(trace)._repr_html_()}</body>", encoding="utf-8")
    page = offline(file)
    frame = page.frame_locator("iframe")
    expect(frame.locator(".sentence")).to_contain_text("Segment 4 of 8")
    expect(frame.locator(".strip")).to_contain_text("<script>window.hacked = 1</script>")
    frame.locator("h1").click()
    page.keyboard.press("ArrowRight")
    expect(frame.locator(".sentence")).to_contain_text("Segment 5 of 8")
    assert page.frames[1].evaluate("window.hacked") is None and page.evaluate("window.hacked") is None


def test_a_file_without_heads_says_so_and_offers_none(offline, assets, tmp_path):
    trace = Library(assets / "traces").open("toy").trace
    file = tmp_path / "run.html"
    whole = whole_page(trace)
    file.write_text(whole_page(trace, most=len(whole) - 1), encoding="utf-8")
    page = offline(file)
    expect(page.locator(".about")).to_contain_text("the app has each head’s")
    expect(page.locator(".panel.maps .note")).to_have_text("mean of layers and heads")
    expect(page.get_by_label("layer", exact=True)).to_have_count(0)
    page.locator(".panel.heads [data-layer='2'][data-head='1']").first.click()
    expect(page.locator(".panel.maps .note")).to_have_text("mean of layers and heads")


def test_two_runs_in_a_file_step_together(offline, assets, tmp_path):
    traces = Library(assets / "traces")
    run, other = traces.open("toy").trace, traces.open("toy.reset").trace
    file = tmp_path / "both.html"
    file.write_text(whole_page(run, beside=other), encoding="utf-8")
    page = offline(file)
    expect(page.locator(".sentence").nth(1)).to_contain_text("Segment 4 of 8")
    page.keyboard.press("ArrowRight")
    for side in (0, 1):
        expect(page.locator(".sentence").nth(side)).to_contain_text("Segment 5 of 8")
    page.get_by_role("button", name="Memory", exact=True).click()
    expect(page.locator(".panel.paths .note").first).to_contain_text("one plane for both runs")
    expect(page.locator(".panel.changed").first).to_contain_text("computed in the app")


@pytest.fixture
def hosted(tmp_path, assets):
    """The address of a static site of three test runs, on Python's plain file server."""
    library = Library(assets / "traces")
    folder = tmp_path / "site"
    export_site(folder, library, ["toy", "hostile", "plain"], whole_maps=False)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_static_site_steps_on_any_web_server(browser, hosted, assets, picture):
    context, wrong = browser.new_context(viewport={"width": 1280, "height": 720}), []
    page = context.new_page()
    page.on("pageerror", lambda error: wrong.append(f"page error: {error}"))
    page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
    page.on("request", lambda r: None if r.url.startswith((hosted, "data:", "blob:")) else wrong.append(r.url))
    page.goto(f"{hosted}#watch?trace=toy")
    sentence = page.locator(".sentence").first
    expect(sentence).to_contain_text("Segment 4 of 8")
    page.keyboard.press("ArrowRight")
    expect(sentence).to_contain_text("Segment 5 of 8")
    expect(page).to_have_url(re.compile("segment=5"))
    page.get_by_role("button", name="Reset", exact=True).click()
    expect(page.locator(".about")).to_contain_text("memory reset before every segment")
    expect(sentence).to_contain_text("Segment 5 of 8")
    page.get_by_role("link", name="Memory").click()
    expect(page.locator(".panel.paths h2")).to_contain_text("Two directions hold")
    page.get_by_role("link", name="Compare").click()
    expect(page.locator(".sentence").nth(1)).to_contain_text("Segment 5 of 8")
    # The map of one head, made in the browser, has the shares that the server finds.
    page.goto(f"{hosted}#attention?trace=toy&segment=4&layer=1&head=2")
    run = Library(assets / "traces").open("toy")
    slice_of = attention(run.trace, run.trace.segments[3], layer=0, head=1)
    shares = re.search(rb'"write": ([0-9.]+)', slice_of[slice_of.index(b'"shares"') :])
    expect(page.locator(".panel.attention h2")).to_contain_text(f"{round(100 * float(shares[1]))} %")
    expect(page.locator(".panel.attention .note")).to_contain_text("layer 1, head 2 · recorded blocks only")
    page.get_by_label("Run", exact=True).select_option("hostile")
    expect(page.locator(".about")).to_be_visible()
    page.get_by_role("link", name="Watch").click()
    expect(page.locator(".strip")).to_contain_text("<script>window.hacked = 1</script>")
    page.goto(f"{hosted}#watch?trace=<b>&segment=0x1&colour=url(x)&show=nothing")
    expect(sentence).to_contain_text("Segment")
    assert page.evaluate("window.hacked") is None
    picture(page, "static-site")
    context.close()
    assert not wrong, wrong
