//! The status page, as a person and as a page elsewhere uses it.

mod browser;
mod same_words;
mod states;
mod words;

use reqwest::Method;
use reqwest::header::{ACCEPT_LANGUAGE, CONTENT_TYPE, ORIGIN};
use sandbox::ErpFailure;

use crate::world::{Answer, Begin as _, World, eventually, given};

const LEAD: u64 = 45_721_053;
const TOKEN: &str = "token-of-the-test-0123";

impl World {
    /// The page of a deal that the ERP has refused.
    async fn refused_deal(&self) -> String {
        let (code, message) = ("500".to_owned(), "Field is required".to_owned());
        self.erp.fail_next(99, ErpFailure::Error { code, message });
        self.webhook(LEAD).await;
        eventually("the deal needs a person", async || {
            let page = self.admin_page("/").await.text;
            page.contains("1 deal needs you").then_some(page)
        })
        .await
    }

    /// Clicks on a button of the page that asks whether this is meant.
    async fn click(&self, act: &str, deal: &str, more: &str) -> Answer {
        let asked = self.admin_page(&format!("/act?do={act}&deal={deal}")).await.text;
        let click = asked.split("name=\"click\" value=\"").nth(1).unwrap();
        let click = click.split('"').next().unwrap();
        self.post(&format!("do={act}&deal={deal}&click={click}{more}"), true).await
    }

    async fn post(&self, form: &str, own: bool) -> Answer {
        let admin = format!("http://{}", self.replicas[0].admin);
        let origin = if own { admin.as_str() } else { "https://evil.example.org" };
        let request = self.admin_request(Method::POST, "/act").header(ORIGIN, origin);
        let form_type = "application/x-www-form-urlencoded";
        Answer::to(request.header(CONTENT_TYPE, form_type).body(form.to_owned())).await
    }
}

#[tokio::test]
async fn the_page_says_at_a_glance_whether_deals_flow_in_the_language_of_the_browser() {
    let world = given().lead(LEAD, "Ivan Petrov", 15_000).end_to_end().await;
    world.webhook(LEAD).await;
    world.records(1).await;
    let page = eventually("deals flow", async || {
        let page = world.admin_page("/").await.text;
        (page.contains("<h1>Deals flow</h1>") && page.contains("Records made</dt><dd>1</dd>"))
            .then_some(page)
    })
    .await;
    assert_eq!(page.matches("class=\"good\"").count(), 4, "each neighbour works: {page}");
    assert!(!page.contains("<script"), "{page}");
    let too_early =
        "AMOCRM_TRIGGER_STATUSES: is not set: each lead gets its record when it is created";
    assert!(page.contains(too_early), "{page}");
    let russian = world.admin_request(Method::GET, "/").header(ACCEPT_LANGUAGE, "ru-RU,ru;q=0.9");
    assert!(Answer::to(russian).await.text.contains("<h1>Сделки идут</h1>"));
    world.end().await;
}

#[tokio::test]
async fn a_deal_that_needs_a_person_is_named_with_its_reason_and_ended_by_two_clicks() {
    let world = given().lead(LEAD, "Ivan Petrov", 15_000).end_to_end().await;
    let page = world.refused_deal().await;
    for part in [
        "/?q=45721053",
        "/leads/detail/45721053",
        "Field is required",
        "Mend the cause, then send it again",
    ] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    assert!(!page.contains("Ivan"), "no name without ADMIN_SHOW_DEALS: {page}");
    for (form, own) in [
        ("do=dismiss&deal=lead:45721053&why=x&click=00", true),
        ("do=dismiss&deal=lead:45721053&why=x", true),
        ("do=dismiss&deal=lead:45721053&why=x&click=00", false),
    ] {
        assert_eq!(world.post(form, own).await.status, 403, "{form}");
    }
    assert_eq!(world.click("dismiss", "lead:45721053", "&why=").await.status, 400);
    let done = world.click("dismiss", "lead:45721053", "&why=a+test+%3Cb%3E").await;
    assert_eq!(done.status, 200, "{}", done.text);
    let story = world.admin_page("/?q=45721053").await.text;
    assert!(story.contains("dismissed by a person"), "{story}");
    assert!(story.contains("a test &lt;b&gt;"), "{story}");
    assert_eq!(world.click("dismiss", "lead:45721053", "&why=x").await.status, 409);
    world.end().await;
}

#[tokio::test]
async fn once_the_cause_is_mended_a_click_sends_the_deal_again() {
    let world = given().lead(LEAD, "Ivan Petrov", 15_000).end_to_end().await;
    world.refused_deal().await;
    world.erp.recover();
    assert_eq!(world.click("retry", "lead:45721053", "").await.status, 200);
    world.records(1).await;
    world.end().await;
}

#[tokio::test]
async fn a_deal_is_found_by_its_lead_its_record_or_its_run() {
    let world = given().lead(LEAD, "Ivan Petrov", 15_000).end_to_end().await;
    world.webhook(LEAD).await;
    let found = |asked: &str| {
        let path = format!("/?q={asked}");
        let world = &world;
        async move {
            eventually("it is found", async || {
                let page = world.admin_page(&path).await;
                page.text.contains("has record 119").then_some(page.text)
            })
            .await
        }
    };
    let page = found("45721053").await;
    let told = [
        "A webhook reported it",
        "Inngest took its event",
        "A run took it",
        "It is sent to the ERP",
    ];
    let at: Vec<_> = told.iter().map(|line| page.find(line)).collect();
    assert!(at.is_sorted() && at[0].is_some(), "its story in its order: {at:?} {page}");
    let run = page.split("runID=").nth(1).unwrap().split('"').next().unwrap();
    for asked in ["119", run, "lead:45721053"] {
        found(asked).await;
    }
    let nothing = world.admin_page("/?q=%3Cimg+src%3Dx%3E").await;
    assert_eq!(nothing.status, 404);
    assert!(!nothing.text.contains("<img"), "{}", nothing.text);
    world.end().await;
}

#[tokio::test]
async fn with_a_token_the_page_and_the_metrics_ask_for_it_and_readiness_does_not() {
    let world = given().variable("ADMIN_TOKEN", TOKEN).in_process().await;
    for (path, status) in [("/", 401), ("/metrics", 401), ("/readyz", 200), ("/act", 401)] {
        assert_eq!(world.admin_page(path).await.status, status, "{path}");
        let with_token = world.admin_request(Method::GET, path).bearer_auth(TOKEN);
        assert_ne!(Answer::to(with_token).await.status, 401, "{path}");
    }
    let named = world.admin_request(Method::GET, "/").basic_auth("any", Some(TOKEN));
    assert_eq!(Answer::to(named).await.status, 200);
}
