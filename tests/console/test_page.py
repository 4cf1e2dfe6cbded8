"""The console in a browser: what a person sees, clicks and hears."""

from __future__ import annotations

import time

import pytest

from inkling.engine.base import Onboarded

pytestmark = pytest.mark.browser


class Page:
    """The page as a person meets it."""

    def __init__(self, browser, url):
        self.browser, self.url = browser, url

    def open(self, query=""):
        self.browser.get(f"{self.url}/console/?{query}")
        self.browser.get_log("browser")
        return self.settled()

    def settled(self):
        """Wait until the list is there and still."""
        self.until("document.querySelector('#list').getAttribute('aria-busy') === 'false'")
        return self

    def until(self, condition):
        if "#drawer" in condition:  # while it slides in, a browser says that it has no text
            condition = f"({condition}) && !document.querySelector('#drawer').getAnimations().length"
        end = time.monotonic() + 10
        while not self.browser.execute_script(f"return Boolean({condition})"):
            assert time.monotonic() < end, f"never came true: {condition}"
            time.sleep(0.02)

    def all(self, selector):
        return self.browser.find_elements("css selector", selector)

    def one(self, selector):
        return self.browser.find_element("css selector", selector)

    def texts(self, selector):
        return [element.text for element in self.all(selector)]

    def ids(self):
        return [row.get_attribute("data-id") for row in self.all("#list .row")]

    def row(self, item_id):
        return self.one(f'#list .row[data-id="{item_id}"]')

    def press(self, *keys):
        from selenium.webdriver import ActionChains

        ActionChains(self.browser).send_keys(*keys).perform()

    def type(self, selector, text):
        self.one(selector).clear()
        self.one(selector).send_keys(text)


@pytest.fixture
def page(browser, engine, serve_at):
    made = Page(browser, serve_at(engine))
    yield made
    wrong = [line for line in browser.get_log("browser") if line["level"] == "SEVERE" and "404" not in line["message"]]
    assert not wrong


def test_a_person_sees_history_list_reasons_shares_and_time(page):
    page.open("user=ann")
    assert page.one("#headline").text == "For ann"
    assert page.texts("#history .title")[1:] == ["tea pot", "red mug"]
    assert page.texts("#history .event") == ["purchase"] * 3
    assert len(page.ids()) == 9
    first = page.all("#list .row")[0]
    assert first.find_element("css selector", ".title .words").text == "tea pot"
    assert first.find_element("css selector", ".price").text == "3.00"
    assert first.find_element("css selector", ".badge").text
    assert first.find_element("css selector", ".reason").text
    assert len(first.find_elements("css selector", ".bars .track i")) >= 2
    assert float(page.one("#total").text) >= 0
    assert [text.split()[0] for text in page.texts("#legend li")] == ["retrieve", "rank", "policy"]
    assert len(page.all("#stack i")) == 3
    assert page.texts("#stamp dt") == ["version", "bundle", "round trip"]


def test_a_click_sends_the_target_event_and_the_list_changes(page, engine):
    page.open("user=ann")
    before = page.ids()
    page.row("4").find_element("css selector", ".main").click()
    page.until("document.querySelector('#live').textContent.startsWith('List updated')")
    assert page.texts("#history .title")[0] == "desk lamp"
    assert engine.log["ann"][-1]["event"] == "purchase"
    assert page.ids() != before
    assert page.all("#list .is-moved .mark")
    assert page.row("4").find_element("css selector", ".mark").text.startswith("↑")
    assert "moved" in page.one("#live").get_attribute("textContent")
    assert page.all("#history li.is-new")


def test_items_that_enter_or_move_in_a_short_list_are_marked(page):
    from selenium.webdriver.support.select import Select

    page.open("user=ann")
    Select(page.one("#k")).select_by_visible_text("5")
    page.until("document.querySelectorAll('#list .row').length === 5")
    page.settled()
    page.row("1").find_element("css selector", ".main").click()
    page.until("document.querySelector('#list .is-new, #list .is-moved')")


def test_another_event_can_be_chosen(page, engine):
    from selenium.webdriver.support.select import Select

    page.open("user=ann")
    assert page.texts("#event option") == ["view", "cart", "purchase"]
    assert page.one("#event").get_attribute("value") == "purchase"
    Select(page.one("#event")).select_by_visible_text("cart")
    page.row("5").find_element("css selector", ".main").click()
    page.until("document.querySelector('#history .event').textContent === 'cart'")
    assert engine.log["ann"][-1] == {**engine.log["ann"][-1], "item_id": "5", "event": "cart"}


def test_a_person_is_found_by_keyboard(page):
    from selenium.webdriver.common.keys import Keys

    page.open("user=ann")
    page.one("#person").click()
    page.until("document.querySelectorAll('#people [role=option]').length === 3")
    assert page.one("#person").get_attribute("aria-expanded") == "true"
    page.press("b")
    page.until("document.querySelectorAll('#people [role=option]').length === 1")
    page.press(Keys.ARROW_DOWN)
    assert page.one("#person").get_attribute("aria-activedescendant") == "people-0"
    page.press(Keys.ENTER)
    page.until("document.querySelector('#headline').textContent === 'For bob'")
    assert page.one("#person").get_attribute("aria-expanded") == "false"
    assert "user=bob" in page.browser.current_url


def test_an_item_is_chosen_by_keyboard(page, engine):
    from selenium.webdriver.common.keys import Keys

    page.open("user=bob")
    page.browser.execute_script("document.querySelector('#list .main').focus()")
    page.press(Keys.ENTER)
    page.until("document.querySelector('#live').textContent.startsWith('List updated')")
    assert len(engine.log["bob"]) == 3


def test_a_sentence_alone_answers_a_visitor_whose_clicks_count(page, engine):
    page.open("text=green+tea")
    assert page.one("#headline").text == "For a new visitor: “green tea”"
    assert page.ids()[0] == "3"
    assert page.texts("#history li") == ["Nothing yet. Click an item to begin."]
    page.row("6").find_element("css selector", ".main").click()
    page.until("document.querySelector('#history .title')?.textContent === 'paper chain'")
    (session,) = [who for who in engine.log if who.startswith("console-")]
    assert engine.log[session][0]["item_id"] == "6"


def test_typing_a_sentence_changes_the_list(page):
    page.open("user=ann")
    page.type("#sentence", "desk lamp")
    page.until("document.querySelector('#headline').textContent.includes('desk lamp')")
    assert page.ids()[0] == "4"


def test_the_filter_narrows_and_says_when_nothing_fits(page):
    page.open("user=ann")
    page.type("#filter", "mug")
    page.until("document.querySelectorAll('#list .row').length === 2")
    assert set(page.ids()) == {"0", "1"}
    page.type("#filter", "nothing like this")
    page.until("!document.querySelector('#empty').hidden")
    assert page.one("#empty").text == "No item fits."


def test_similar_items_open_in_a_drawer_and_can_be_chosen(page, engine):
    from selenium.webdriver.common.keys import Keys

    page.open("user=ann")
    page.row("2").find_element("css selector", ".link").click()
    page.until("document.querySelectorAll('#drawer .near li').length === 3")
    assert page.one("#drawer-title").text == "Like tea pot"
    page.press(Keys.ESCAPE)
    page.until("!document.querySelector('#drawer').open")
    page.row("2").find_element("css selector", ".link").click()
    page.until("document.querySelectorAll('#drawer .near li').length === 3")
    page.one("#drawer .near .main").click()
    page.until("document.querySelector('#live').textContent.startsWith('List updated')")
    assert len(engine.log["ann"]) == 4


def test_why_opens_shares_and_features(page):
    page.open("user=ann")
    page.row("2").find_elements("css selector", ".link")[1].click()
    page.until("document.querySelector('#drawer table')")
    assert page.one("#drawer-title").text == "Why tea pot"
    assert page.all("#drawer .bars .track")
    assert "popular" in page.texts("#drawer th")
    page.one("#drawer-close").click()
    page.until("!document.querySelector('#drawer').open")


def test_quality_and_members_are_told(page):
    page.open("user=ann")
    page.one("#about-open").click()
    page.until("document.querySelector('#drawer').open")
    assert "0.381" in page.texts("#drawer td")


def test_titles_are_text_never_markup(page):
    page.open("user=ann")
    row = page.row("evil")
    assert "<img src=x onerror=" in row.find_element("css selector", ".words").text
    row.find_elements("css selector", ".link")[1].click()
    page.until("document.querySelector('#drawer table')")
    page.one("#drawer-close").click()
    row.find_elements("css selector", ".link")[0].click()
    page.until("document.querySelectorAll('#drawer .near li').length")
    assert not page.all("main img, #list b, #drawer img, #drawer b, #history b")
    assert page.browser.title == "Inkling"
    page.open("user=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E&text=%3Cb%3Ex%3C%2Fb%3E")
    assert page.one("#headline").text == "For <img src=x onerror=alert(1)>: “<b>x</b>”"
    assert not page.all("h1 *")


def test_both_languages(page, engine):
    page.open("user=ann&lang=zh")
    assert page.one("#headline").text == "为 ann 推荐"
    assert page.one("html").get_attribute("lang") == "zh-CN"
    assert engine.asked[-1].language == "zh"
    assert "最近很多人选择" in page.one("#list").text
    page.one("#language").click()
    page.until("document.querySelector('#headline').textContent === 'For ann'")
    page.settled()
    assert engine.asked[-1].language == "en"
    assert page.one("#language").text == "中文"


def test_every_control_has_a_name_and_ids_are_unique(page):
    page.open("user=ann")
    nameless = """return [...document.querySelectorAll('button, input, select, textarea, a')].filter((one) =>
        !(one.getAttribute('aria-label') || one.textContent.trim() || one.labels?.length)).map((one) => one.id)"""
    assert page.browser.execute_script(nameless) == []
    ids = [element.get_attribute("id") for element in page.all("[id]")]
    assert len(ids) == len(set(ids))


def test_a_shouting_title_is_shown_calmly(page):
    page.open("user=cat")
    assert page.row("7").find_element("css selector", ".words").text == "Alarm clock red"


def test_a_narrow_screen_does_not_scroll_sideways(page):
    emulate = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", emulate)
    try:
        page.open("user=ann")
        assert page.browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
        assert page.all("#list .row")[0].is_displayed()
    finally:
        page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_trouble_is_told_with_the_request_id(page, engine):
    from inkling.core.errors import StoreError

    page.open("user=ann")
    engine.fail_with = StoreError("The disk is full.", hint="Make room.")
    page.type("#sentence", "x")
    page.until("!document.querySelector('#trouble').hidden")
    assert page.one("#trouble").text.startswith("The disk is full. Make room.")
    assert "request" in page.one("#trouble code").text
    engine.fail_with = None
    page.type("#sentence", "tea")
    page.until("document.querySelector('#trouble').hidden")
    page.browser.get_log("browser")


def test_a_server_that_started_anew_is_asked_again(page, engine):
    page.open("user=ann")
    page.row("5").find_element("css selector", ".main").click()
    page.until("document.querySelector('#live').textContent.startsWith('List updated')")
    engine._version = 0
    page.type("#sentence", "tea")
    page.until("document.querySelector('#headline').textContent.includes('tea')")
    assert not page.one("#trouble").is_displayed()
    page.browser.get_log("browser")


def test_a_guarded_server_asks_for_its_key(browser, engine, serve_at):
    guarded = Page(browser, serve_at(engine, keys=["open-sesame"]))
    browser.get(f"{guarded.url}/console/?user=ann")
    guarded.until("document.querySelector('#drawer').open && document.querySelector('#key')")
    guarded.one("#key").send_keys("open-sesame")
    guarded.one("#drawer form button").click()
    guarded.until("document.querySelectorAll('#list .row').length === 9")
    assert guarded.one("#headline").text == "For ann"
    browser.get_log("browser")


def test_a_profile_is_shown_and_people_write_their_own_sentence(page, engine):
    page.open("user=ann")
    page.until("document.querySelector('#profile-lines dt')")
    assert page.one("#profile-lines dt").text == "Likes"
    assert "red mug" in page.one("#profile-lines dd").text
    page.one("#about-text").send_keys("I collect mugs")
    page.one("#about-form button").click()
    page.until("document.querySelector('#live').textContent.startsWith('List updated')")
    assert engine.users["ann"]["about"] == "I collect mugs"
    page.one("#language").click()
    page.until("document.querySelector('#profile-lines dt').textContent === '喜欢'")
    assert page.one("#profile-title").text == "画像"
    assert page.one("#about-text").get_attribute("value") == "I collect mugs"
    page.one("#language").click()


def test_what_is_known_of_an_item_is_in_its_drawer(page):
    page.open("user=ann")
    page.row("5").find_elements("css selector", ".more button")[1].click()
    page.until("document.querySelector('#drawer .known dt')")
    assert page.one("#drawer .known dt").text == "Good at"
    page.one("#drawer-close").click()


def test_a_new_visitor_has_no_profile_card(page):
    page.open("text=tea")
    assert not page.one("#profile").is_displayed()


def test_somebody_new_is_asked_and_the_list_follows_their_answers(page, engine):
    page.open("user=ann")
    page.one("#onboard").click()
    page.until("document.querySelectorAll('#drawer .choice').length === 3")
    assert page.one("#drawer-title").text == "What do you like?"
    assert page.texts("#drawer .choice") == ["red mug", "blue mug", "None of these"]
    page.until("document.activeElement.id === 'asked-text'")
    page.all("#drawer .choice")[1].click()
    page.until("document.querySelector('#drawer .soft').textContent === 'Question 2'")
    page.all("#drawer .choice")[2].click()
    page.until("document.querySelector('#headline').textContent === 'For a new visitor'")
    page.settled()
    assert "follows your answers" in page.one("#drawer").text
    assert page.one("#live").get_attribute("textContent") == "Thank you. The list follows your answers."
    page.one("#drawer-close").click()
    page.until("document.querySelectorAll('#history li').length === 1")
    assert page.texts("#history .title") == ["blue mug"]
    assert page.texts("#history .event") == ["your answer"]
    assert engine.asked[-1].history == ("1",)
    page.row("4").find_element("css selector", ".main").click()
    page.until("document.querySelectorAll('#history li').length === 2")
    assert engine.asked[-1].history == ("1", "4")


def test_questions_speak_chinese_and_may_be_asked_again(page):
    page.open("user=ann&lang=zh")
    page.one("#onboard").click()
    page.until("document.querySelectorAll('#drawer .choice').length === 3")
    assert page.texts("#drawer .choice")[-1] == "都不是"
    for place in (0, 1):
        page.until(f"document.querySelector('#drawer .soft').textContent === '第 {place + 1} 个问题'")
        page.all("#drawer .choice")[place].click()
    page.until("document.querySelector('#drawer .quiet:not(#drawer-close)')")
    page.one("#drawer-body .quiet").click()
    page.until("document.querySelectorAll('#drawer .choice').length === 3")


def test_where_no_question_helps_it_says_so(browser, engine, serve_at, monkeypatch):
    monkeypatch.setattr(type(engine), "onboarding", lambda self, answers=(), *, language="en": Onboarded(None, ()))
    page = Page(browser, serve_at(engine)).open("user=ann")
    page.one("#onboard").click()
    page.until("document.querySelector('#drawer .soft')")
    assert page.one("#drawer .soft").text == "No question helps here yet."
