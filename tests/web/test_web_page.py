import json
import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
PHONE = {"width": 360, "height": 740}
LONG = 90_000  # ms, for a first training that compiles


def train_penguins(visit):
    visit.open("/")
    visit.page.get_by_role("button", name="penguins").click()
    visit.page.get_by_role("button", name="Train to predict species").click()
    expect(visit.page.locator(".status")).to_have_text("succeeded", timeout=LONG)
    expect(visit.page.get_by_test_id("prediction")).to_be_visible()
    return visit.page.url.rpartition("/")[2]


def ask(visit, path, **options):
    answer = visit.page.request.fetch(f"{visit.base}{path}", **options)
    assert answer.ok, answer.text()
    return answer.json()


def submit(visit, dataset, **request):
    body = {"dataset": dataset, **request}
    return ask(visit, "/v1/jobs", method="POST", data=body)["id"]


def test_penguins_are_trained_and_the_page_tells_what_the_service_tells(visit):
    job_id = train_penguins(visit)
    page = visit.page
    job = ask(visit, f"/v1/jobs/{job_id}")
    last = ask(visit, f"/v1/jobs/{job_id}/metrics")["data"][-1]

    accuracy = job["result"]["metrics"]["accuracy"]
    shown = page.locator(".tiles dd").first.inner_text()
    assert float(re.search(r"[\d.]+", shown)[0]) == pytest.approx(100 * accuracy, abs=0.05)
    loss = page.get_by_role("img", name=f"Loss after {last['epoch']} epochs")
    expect(loss).to_have_attribute("aria-label", re.compile("train .*validation"))
    assert loss.locator("canvas").evaluate(
        """canvas => {
            const { width, height } = canvas;
            const pixels = canvas.getContext("2d").getImageData(0, 0, width, height).data;
            return new Set(new Uint32Array(pixels.buffer)).size > 10;
        }"""
    )


def test_prediction_shown_is_the_one_the_model_gives(visit):
    train_penguins(visit)
    page = visit.page
    page.get_by_label("flipper_length_mm", exact=True).fill("221")
    page.get_by_label("bill_depth_mm", exact=True).fill("14.2")
    page.get_by_label("island").select_option("Biscoe")
    command = page.locator("pre").inner_text()
    path = re.search(r"http://[^/]+(\S+)", command)[1]
    row = json.loads(re.search(r"-d '(.*)'", command, re.DOTALL)[1])
    assert row["rows"][0]["flipper_length_mm"] == 221
    truth = ask(visit, path, method="POST", data=row)["predictions"][0]

    expect(page.get_by_test_id("prediction")).to_have_text(truth["label"])
    for label, chance in truth["probabilities"].items():
        line = page.locator(".chances li", has_text=label)
        expect(line).to_contain_text(
            re.compile(rf"{re.escape(f'{100 * chance:.1f}')} %|^{label}(0|100) %$")
        )


def test_curves_grow_while_a_job_trains_and_the_job_can_be_stopped(visit):
    request = {"kind": "spirals", "rows": 20_000, "noise": 0.1, "seed": 1}
    dataset = ask(visit, "/v1/datasets/generate", method="POST", data=request)
    training = {"epochs": 100_000, "early_stopping": None}
    target = dataset["columns"][-1]["name"]
    job_id = submit(visit, dataset["id"], target=target, model="endless", training=training)
    try:
        visit.open(f"/#/jobs/{job_id}")
        page = visit.page
        expect(page.locator(".status")).to_have_text("running", timeout=LONG)
        loss = page.get_by_role("img", name=re.compile(r"^Loss after \d+ epochs"))
        expect(loss).to_be_visible(timeout=LONG)
        early = loss.get_attribute("aria-label")
        expect(loss).not_to_have_attribute("aria-label", early, timeout=LONG)
        page.get_by_role("button", name="Stop").click()
        expect(page.locator(".status")).to_have_text("cancelled", timeout=LONG)
        assert ask(visit, f"/v1/jobs/{job_id}")["state"] == "cancelled"
    finally:
        visit.page.request.post(f"{visit.base}/v1/jobs/{job_id}/cancel")


def test_uploaded_table_is_profiled(visit):
    lines = [f"{i},{2 * i + 1},{'even' if i % 2 == 0 else 'odd'}" for i in range(40)]
    table = "\n".join(["size,weight,kind", *lines]).encode()
    visit.open("/")
    visit.page.get_by_label("Table to upload").set_input_files(
        {"name": "My table.csv", "mimeType": "text/csv", "buffer": table}
    )
    expect(visit.page.get_by_role("heading", level=1)).to_have_text("My table")
    expect(visit.page.get_by_role("row", name="kind")).to_contain_text("category")
    expect(visit.page.get_by_role("row", name="size")).to_contain_text("0 to 39, mean 19.5")
    expect(visit.page.get_by_label("Predict kind")).to_be_checked()


def test_refused_table_is_explained_where_it_was_dropped(visit):
    visit.open("/")
    visit.page.get_by_label("Table to upload").set_input_files(
        {"name": "ragged.csv", "mimeType": "text/csv", "buffer": b"a,b\n1,2\n3\n4,5\n"}
    )
    alert = visit.page.get_by_role("alert")
    expect(alert).to_contain_text("This table cannot be used")
    expect(alert).to_contain_text("3")  # the line


def test_unknown_addresses_say_so(visit):
    visit.open("/#/jobs/job_unknown")
    expect(visit.page.get_by_role("alert")).to_contain_text("This job cannot be shown")


def test_versions_are_shown_with_their_aliases(visit, client, model):
    latest = client.get("/v1/models/penguins").json()["latest_version"]
    client.put("/v1/models/penguins/aliases/champion", json={"version": latest})
    visit.open("/#/models/penguins")

    chosen = visit.page.get_by_label("Version").locator("option:checked")
    expect(chosen).to_contain_text("champion")
    visit.page.get_by_role("link", name="Report to keep").click()
    expect(visit.page).to_have_title(re.compile("^penguins, version"))


def test_model_has_an_address_of_its_own(visit):
    train_penguins(visit)
    visit.open("/#/models/penguins")
    expect(visit.page.get_by_role("heading", level=1)).to_have_text("penguins")
    expect(visit.page.get_by_test_id("prediction")).to_be_visible()


def test_penguins_are_trained_by_keyboard_alone(visit):
    visit.open("/")
    page = visit.page
    expect(page.get_by_role("button", name="penguins")).to_be_enabled()

    def tab_to(name):
        for _ in range(60):
            page.keyboard.press("Tab")
            if name in page.evaluate("document.activeElement.innerText ?? ''"):
                return
        pytest.fail(f"Tab never reaches {name!r}")

    tab_to("penguins")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Train to predict species")).to_be_enabled()
    tab_to("Train to predict species")
    page.keyboard.press("Enter")
    expect(page.locator(".status")).to_have_text("succeeded", timeout=LONG)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_scrolls_sideways_on_a_phone(visit, scheme):
    page = visit.page
    page.set_viewport_size(PHONE)
    page.emulate_media(color_scheme=scheme)
    job_id = train_penguins(visit)
    dataset = ask(visit, f"/v1/jobs/{job_id}")["dataset"]
    for path, landmark in {
        "/": "Recent jobs",
        f"/#/datasets/{dataset}": "Network",
        f"/#/jobs/{job_id}": "Try it",
        "/#/models/penguins": "Try it",
        "/#/jobs": "Jobs",
        "/#/models": "Models",
    }.items():
        visit.open(path)
        expect(page.get_by_role("heading", name=landmark, exact=True)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path


def test_chosen_theme_stays(visit):
    visit.page.emulate_media(color_scheme="light")
    visit.open("/")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    light = visit.page.evaluate(ground)
    visit.page.get_by_role("button", name="Use dark colours").click()
    dark = visit.page.evaluate(ground)
    assert dark != light
    visit.page.reload()
    assert visit.page.evaluate(ground) == dark
