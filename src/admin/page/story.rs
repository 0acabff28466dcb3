//! One deal: found by its lead, its record or a run.

use http::StatusCode;
use maud::html;

use super::layout::Shown;
use super::words::Language;
use super::{Page, card, told};
use crate::admin::Item;
use crate::deals::{self, KnownDeal};

/// What is known of the deals that `asked` may name.
pub(super) async fn show(page: &Page, language: Language, asked: &str) -> anyhow::Result<Shown> {
    let say = |text| language.say(text);
    let found = deals::find(&page.admin.db, asked).await?;
    let title = format!("{} {asked}", say(["Deals for", "Сделки по запросу"]));
    if found.is_empty() {
        let text = say([
            "No deal has this lead, record or run. If a webhook named it, its body could not be read, or the deal is in \
             another database.",
            "Нет сделки с таким номером сделки, записи или запуска.",
        ]);
        return Ok(Shown::message(StatusCode::NOT_FOUND, language, &title, text));
    }
    let mut deals = Vec::new();
    for deal in found {
        let item = Item::one(&page.admin.inbox, &page.admin.db, &deal).await?;
        deals.push((deal, item));
    }
    let body = html! {
        h1 { (title) }
        @for (deal, item) in &deals {
            section {
                h2 { (card::name(page, language, deal.lead_id, &deal.key)) }
                p { strong { (state(language, deal)) } }
                @match item {
                    Some(item) => (card::next(page, language, item)),
                    None => @if let Some(reason) = &deal.reason { p { (page.shown(reason)) } },
                }
                (told::story(page, language, deal))
            }
        }
    };
    Ok(Shown { status: StatusCode::OK, title, body })
}

fn state(language: Language, deal: &KnownDeal) -> String {
    match (&deal.erp_id, deal.ended.as_deref()) {
        (Some(id), _) => format!("{} {id}", language.say(["has record", "есть запись"])),
        (None, Some("dismissed")) => {
            language.say(["dismissed by a person", "закрыта человеком без записи"]).to_owned()
        }
        (None, Some(_)) => language.say(["needs no record", "запись не нужна"]).to_owned(),
        (None, None) => language.say(["has no record yet", "записи пока нет"]).to_owned(),
    }
}
