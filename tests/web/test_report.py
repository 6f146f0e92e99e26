"""The report of a version, as a person's browser shows it."""

import re
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.web.conftest import Visit

pytestmark = pytest.mark.browser
REPORT = "/v1/models/penguins/versions/latest/report"
HOSTILE = "<script>document.title='taken'</script><img src=x onerror=alert(1)>\" onload=\"x"


@pytest.fixture(scope="module")
def numbers(client: httpx2.Client) -> str:
    """A regression of ten columns."""
    body = {"kind": "friedman", "rows": 1000, "noise": 0.5, "seed": 1}
    dataset = client.post("/v1/datasets/generate", json=body).json()["id"]
    job = {"dataset": dataset, "target": "y", "model": "friedman", "seed": 1,
           "training": {"epochs": 30}}  # fmt: skip
    answer = client.post("/v1/jobs", json=job, headers={"Prefer": "wait=60"})
    assert answer.json()["state"] == "succeeded", answer.text
    return "/v1/models/friedman/versions/1/report"


def ground(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))


def test_the_report_shows_what_is_on_record(
    visit: Visit, client: httpx2.Client, model: dict[str, Any]
) -> None:
    card = client.get(REPORT.replace("/report", "/card")).json()
    visit.open(REPORT)

    page = visit.page
    expect(page.get_by_role("heading", level=1)).to_contain_text("penguins version")
    accuracy = model["result"]["metrics"]["accuracy"]
    shown = f"{100 * accuracy:.1f}".removesuffix(".0")
    expect(page.get_by_role("row", name=re.compile("^Accuracy"))).to_contain_text(f"{shown}\u00a0%")
    counts = page.locator("svg text.count").all_text_contents()
    assert [int(text or 0) for text in counts] == [
        count for row in card["evaluation"]["counts"] for count in row
    ]
    for feature in card["signature"]["features"]:
        expect(page.get_by_role("rowheader", name=feature["name"], exact=True)).to_be_visible()
    expect(page.get_by_text(card["sha256"])).to_be_visible()
    pictures = page.get_by_role("img").all()
    assert len(pictures) >= 5 + len(card["figures"])
    assert all(picture.get_attribute("aria-label") for picture in pictures)


def test_the_curves_are_those_of_the_job(
    visit: Visit, client: httpx2.Client, model: dict[str, Any]
) -> None:
    job = client.get("/v1/models/penguins/versions/latest").json()["job"]
    points = client.get(f"/v1/jobs/{job}/metrics").json()["data"]
    visit.open(REPORT)

    figure = visit.page.locator("figure", has=visit.page.get_by_text("Loss", exact=True))
    training = figure.locator("svg.chart path.line").first.get_attribute("d") or ""
    heights = [float(pair.split()[1]) for pair in re.split("[ML]", training)[1:]]

    assert len(heights) == len(points)
    losses = [point["train_loss"] for point in points]
    lowest, highest = heights[losses.index(min(losses))], heights[losses.index(max(losses))]
    assert lowest == max(heights)
    assert highest == min(heights)
    slope = (highest - lowest) / (max(losses) - min(losses))
    for height, loss in zip(heights, losses, strict=True):
        assert height == pytest.approx(lowest + slope * (loss - min(losses)), abs=0.11)


def test_a_regression_shows_prediction_against_truth(visit: Visit, numbers: str) -> None:
    visit.open(numbers)

    expect(visit.page.get_by_role("row", name=re.compile("^RMSE"))).to_contain_text("better")
    assert visit.page.locator("circle.point").count() == 200
    expect(visit.page.get_by_text("Half of the predictions of y")).to_be_visible()


def test_it_is_light_and_dark(visit: Visit, model: object) -> None:
    visit.page.emulate_media(color_scheme="light")
    visit.open(REPORT)
    assert ground(visit.page) == "rgb(246, 246, 243)"

    visit.page.emulate_media(color_scheme="dark")

    assert ground(visit.page) == "rgb(18, 21, 24)"


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_cut_off(visit: Visit, numbers: str, width: int) -> None:
    visit.page.set_viewport_size({"width": width, "height": 800})
    visit.open(numbers)

    assert visit.page.evaluate("document.documentElement.scrollWidth") == width


def test_the_file_stands_alone(
    browser: Browser, client: httpx2.Client, model: object, tmp_path: Path
) -> None:
    saved = tmp_path / "report.html"
    saved.write_text(client.get(REPORT).text)
    complaints: list[str] = []
    context = browser.new_context(offline=True, color_scheme="light")
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text))
    page.on("request", lambda request: complaints.append(request.url))

    page.goto(saved.as_uri())

    assert complaints == [saved.as_uri()]
    assert ground(page) == "rgb(246, 246, 243)"
    context.close()


def test_what_people_wrote_is_shown_and_not_run(
    visit: Visit, client: httpx2.Client, penguins: str
) -> None:
    table = f'"{HOSTILE.replace(chr(34), chr(34) * 2)}",y\n' + "<b>a</b>,<i>1\nb,2\n" * 20
    sent = client.post("/v1/datasets", content=table.encode(), headers={"Content-Type": "text/csv"})
    job = {"dataset": sent.json()["id"], "target": "y", "model": "hostile",
           "training": {"epochs": 1}}  # fmt: skip
    answer = client.post("/v1/jobs", json=job, headers={"Prefer": "wait=60"})
    assert answer.json()["state"] == "succeeded", answer.text
    client.patch("/v1/models/hostile", json={"description": HOSTILE, "tags": {"<b>": HOSTILE}})

    visit.open("/v1/models/hostile/versions/1/report")

    page = visit.page
    assert page.title() == "hostile, version 1"
    assert page.locator("script, img, [onerror], [onload], [style]").count() == 0
    expect(page.locator(".about")).to_have_text(HOSTILE)
    expect(page.get_by_role("rowheader", name=HOSTILE)).to_be_visible()


def test_it_is_not_sent_again_unchanged(client: httpx2.Client, model: object) -> None:
    first = client.get(REPORT)

    assert first.headers["content-type"] == "text/html; charset=utf-8"
    assert "unsafe" not in first.headers["content-security-policy"]
    again = client.get(REPORT, headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
