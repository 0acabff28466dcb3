//! One deal: found by its lead, its record or a run.

use http::StatusCode;
use maud::{Markup, html};

use super::Page;
use super::layout::Shown;
use super::view;
use super::words::Language;
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
    let body = html! {
        @for deal in &found {
            h2 { (view::name(page, language, deal.lead_id, &deal.key)) }
            (about(page, language, deal))
        }
    };
    Ok(Shown { status: StatusCode::OK, title, body })
}

/// What is known of one deal now.
fn about(page: &Page, language: Language, deal: &KnownDeal) -> Markup {
    let say = |text| language.say(text);
    let run = deal.run_id.as_ref();
    let url = run.and_then(|run| {
        let mut url = page.links.inngest.as_ref()?.join("/run").ok()?;
        url.query_pairs_mut().append_pair("runID", run);
        Some(url)
    });
    html! {
        table {
            tbody {
                tr { th scope="row" { (say(["State", "Состояние"])) } td { (state(language, deal)) } }
                @if let Some(reason) = &deal.reason {
                    tr { th scope="row" { (say(["Reason", "Причина"])) } td { (page.shown(reason)) } }
                }
                @if let Some(run) = run {
                    tr { th scope="row" { (say(["Run", "Запуск"])) } td {
                        @match url { Some(url) => a href=(url) rel="noreferrer" { (run) }, None => (run) }
                    } }
                }
                @if let Some(event) = &deal.event_id {
                    tr { th scope="row" { (say(["Event", "Событие"])) } td { (event) } }
                }
                tr { th scope="row" { (say(["First reported", "Впервые сообщено"])) } td { (view::time(deal.created_at)) } }
                tr { th scope="row" { (say(["Last change", "Последнее изменение"])) } td { (view::time(deal.updated_at)) } }
            }
        }
    }
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
