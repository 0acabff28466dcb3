//! What the page says, word for word, in both languages.

use reqwest::Method;
use reqwest::header::ACCEPT_LANGUAGE;

use super::states;
use crate::world::{Answer, Begin as _, NOWHERE, World, given};

/// The text of a page, a line for each block of it. Ids, times, ages and addresses are those of the moment.
fn text_of(html: &str) -> String {
    let body = html.split("<main>").nth(1).unwrap();
    let mut text = String::new();
    for part in body.split('<').skip(1) {
        let (tag, shown) = part.split_once('>').unwrap();
        let name = tag.trim_start_matches('/').split(' ').next().unwrap();
        let is_inline = ["a", "b", "code", "span", "strong", "small", "time", "dd", "td", "svg"];
        let separator = if is_inline.contains(&name) { " " } else { "\n" };
        text.push_str(separator);
        text.push_str(if name == "time" && !tag.starts_with('/') { "TIME" } else { shown });
    }
    let lines = text.lines().map(|line| {
        let words = line.split_whitespace().map(of_the_moment).collect::<Vec<_>>();
        words.join(" ").replace("&quot;", "\"")
    });
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

fn of_the_moment(word: &str) -> String {
    let is_ulid = word.len() == 26 && word.starts_with("01");
    let is_date = word.starts_with("2026-") || word.matches(':').count() == 2;
    match word {
        _ if is_ulid => "ID".to_owned(),
        _ if is_date => "TIME".to_owned(),
        _ => word.to_owned(),
    }
}

impl World {
    /// What the page says to those who decide, above what is the same on every page.
    async fn says(&self, language: &str) -> String {
        let request = self.admin_request(Method::GET, "/").header(ACCEPT_LANGUAGE, language);
        let text = text_of(&Answer::to(request).await.text);
        let is_age = |line: &&str| !line.starts_with("Last ") && !line.starts_with("Последн");
        let lines = text.lines().filter(is_age).take_while(|line| {
            !line.starts_with("The last 24")
                && !line.starts_with("Webhooks in")
                && !line.starts_with("Пришло")
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

#[tokio::test]
async fn where_a_deal_needs_a_person_the_page_says_what_to_do() {
    let world = states::needs_a_person().await;
    insta::assert_snapshot!(world.says("en").await, @"");
    insta::assert_snapshot!(world.says("ru").await, @"");
    world.end().await;
}

#[tokio::test]
async fn where_a_lead_has_changed_the_page_says_what_differs() {
    let world = states::changed().await;
    insta::assert_snapshot!(world.says("en").await, @"");
    insta::assert_snapshot!(world.says("ru").await, @"");
    world.end().await;
}

#[tokio::test]
async fn where_amocrm_needs_a_consent_the_page_leads_to_it() {
    let world = states::dead_token().await;
    insta::assert_snapshot!(world.says("en").await, @"");
    insta::assert_snapshot!(world.says("ru").await, @"");
    let page = world.admin_page("/").await.text;
    assert!(page.contains("/oauth/start\">Connect amoCRM</a>"), "{page}");
    world.end().await;
}

#[tokio::test]
async fn more_deals_than_are_shown_are_told_and_can_be_seen() {
    let world = given().inngest_at(NOWHERE).in_process().await;
    let leads = (1..=60)
        .map(|lead| format!("leads[add][{lead}][id]={lead}&leads[add][{lead}][status_id]=1"));
    let body = leads.collect::<Vec<_>>().join("&");
    assert_eq!(world.post_webhook("/api/amocrm-webhook", body).await.0, 200);
    let shown = async |path| {
        let page = world.admin_page(path).await.text;
        (page.matches("class=\"head\"").count(), page.contains("There are more than the 50 shown"))
    };
    assert_eq!(shown("/").await, (50, true));
    assert_eq!(shown("/?all=1").await, (60, false));
    world.end().await;
}
