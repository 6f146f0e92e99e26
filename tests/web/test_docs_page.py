import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_documentation_opens_offline_and_a_call_can_be_tried(visit):
    visit.open("/docs")
    operation = visit.page.locator(".opblock", has=visit.page.locator("[data-path='/livez']"))
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    answer = operation.locator(".live-responses-table .response")
    expect(answer.locator(".response-col_status")).to_contain_text("200")
    expect(answer).to_contain_text(re.compile(r'"status":\s*"alive"'))


def test_every_tag_of_the_document_is_shown(visit):
    visit.open("/docs")
    tags = visit.page.locator(".opblock-tag")
    expect(tags.first).to_be_visible()
    document = visit.page.request.get(f"{visit.base}/openapi.json").json()
    assert tags.evaluate_all("all => all.map(tag => tag.dataset.tag)") == [
        tag["name"] for tag in document["tags"]
    ]


def test_redoc_leads_to_the_documentation(visit):
    visit.open("/redoc")
    assert visit.page.url == f"{visit.base}/docs"
    expect(visit.page.locator(".opblock").first).to_be_visible()
