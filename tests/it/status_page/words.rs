//! What the page says, word for word, in both languages.

use reqwest::Method;
use reqwest::header::ACCEPT_LANGUAGE;

use super::states;
use crate::world::{Answer, Begin as _, NOWHERE, World, given};

/// What a page says of how it stands and of deals, a line for each block. Ids, times, ages and addresses are those of the moment.
fn text_of(html: &str) -> String {
    let main = html.split("<main>").nth(1).unwrap();
    let (headline, rest) = main.split_once("<dl").unwrap();
    let deals = rest.split_once("</dl>").unwrap().1.split("<figure>").next().unwrap();
    let body = format!("{headline}{deals}");
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
    /// What the page says to those who decide.
    async fn says(&self, language: &str) -> String {
        let request = self.admin_request(Method::GET, "/").header(ACCEPT_LANGUAGE, language);
        text_of(&Answer::to(request).await.text)
    }
}

#[tokio::test]
async fn where_a_deal_needs_a_person_the_page_says_what_to_do() {
    let world = states::needs_a_person().await;
    insta::assert_snapshot!(world.says("en").await, @r#"
    1 deal needs you
    All others go on without you. What to do stands below.
    These need you
    Lead 45721053 amoCRM ↗ failed since TIME TIME UTC
    → Mend the cause, then send it again; or say that it needs no record.
    lead 45721053: the ERP refused deal "…" (amoCRM lead 45721053): "field_1039 not exist in entity 70". Nothing was created. Check CRM_ENTITY_ID, CRM_FIELD_DEAL_NAME, CRM_FIELD_AMOUNT and CRM_FIELD_EXTERNAL_ID against the ERP. Then run `prometei-flow deals retry --lead 45721053`
    Send again
    Needs no record
    The last 24 hours
    "#);
    insta::assert_snapshot!(world.says("ru").await, @r#"
    Нужны вы: сделок 1
    Остальные идут без вас. Что сделать, написано ниже.
    Здесь нужны вы
    Сделка 45721053 amoCRM ↗ не удалось с TIME TIME UTC
    → Устраните причину и отправьте снова; или отметьте, что запись не нужна.
    lead 45721053: the ERP refused deal "…" (amoCRM lead 45721053): "field_1039 not exist in entity 70". Nothing was created. Check CRM_ENTITY_ID, CRM_FIELD_DEAL_NAME, CRM_FIELD_AMOUNT and CRM_FIELD_EXTERNAL_ID against the ERP. Then run `prometei-flow deals retry --lead 45721053`
    Отправить снова
    Запись не нужна
    Последние 24 часа
    "#);
    world.end().await;
}

#[tokio::test]
async fn where_a_lead_has_changed_the_page_says_what_differs() {
    let world = states::changed().await;
    insta::assert_snapshot!(world.says("en").await, @r#"
    1 record needs a look
    What amoCRM and the ERP hold differs.
    All others go on without you. What to do stands below.
    These need you
    Lead 45721053 amoCRM ↗ changed since TIME TIME UTC
    → Lead and record differ. Correct the record in the ERP if needed, then press “Leave it as it is”.
    record 119 was given 46333, amoCRM has 52000
    Leave it as it is
    The last 24 hours
    "#);
    insta::assert_snapshot!(world.says("ru").await, @r#"
    Проверьте записи: 1
    Данные в amoCRM и ERP расходятся.
    Остальные идут без вас. Что сделать, написано ниже.
    Здесь нужны вы
    Сделка 45721053 amoCRM ↗ изменена с TIME TIME UTC
    → Сделка и запись различаются. Если нужно, исправьте запись в ERP, затем нажмите «Оставить как есть».
    record 119 was given 46333, amoCRM has 52000
    Оставить как есть
    Последние 24 часа
    "#);
    let asked = world.admin_page("/act?do=dismiss&deal=lead:45721053").await.text;
    assert!(asked.contains("<h1>Leave the record as it is?</h1>"), "{asked}");
    assert_eq!(world.click("dismiss", "lead:45721053", "&why=left+as+it+is").await.status, 200);
    world.page_shows("Deals flow").await;
    world.end().await;
}

#[tokio::test]
async fn where_amocrm_needs_a_consent_the_page_leads_to_it() {
    let world = states::dead_token().await;
    insta::assert_snapshot!(world.says("en").await, @r#"
    amoCRM needs your consent
    Deals wait until then and go on by themselves. None is lost.
    Connect amoCRM
    amoCRM needs to be authorised again: HTTP 401, Token has been revoked. Run `prometei-flow amocrm authorize`; deals wait until then
    On their way
    Lead 45721054 amoCRM ↗ failed since TIME TIME UTC
    → It waits for a consent in amoCRM. It goes on by itself once that is there.
    lead 45721054: amoCRM lead 45721054 could not be read: amoCRM needs to be authorised again: HTTP 401, Token has been revoked. Run `prometei-flow amocrm authorize`; deals wait until then
    The last 24 hours
    "#);
    insta::assert_snapshot!(world.says("ru").await, @r#"
    amoCRM ждёт вашего согласия
    Сделки ждут этого и потом пойдут сами. Ни одна не потеряна.
    Подключить amoCRM
    amoCRM needs to be authorised again: HTTP 401, Token has been revoked. Run `prometei-flow amocrm authorize`; deals wait until then
    В пути
    Сделка 45721054 amoCRM ↗ не удалось с TIME TIME UTC
    → Ждёт согласия в amoCRM. Пойдёт сама, когда это будет.
    lead 45721054: amoCRM lead 45721054 could not be read: amoCRM needs to be authorised again: HTTP 401, Token has been revoked. Run `prometei-flow amocrm authorize`; deals wait until then
    Последние 24 часа
    "#);
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
