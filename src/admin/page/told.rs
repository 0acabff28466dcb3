//! The story of a deal, told a person: each line with its time and its ids.

use functions::ports::WaitsFor;
use maud::{Markup, html};

use super::Page;
use super::view;
use super::words::{Language, Text};
use crate::deals::{self, KnownDeal, Line, What};

/// What happened to a deal, the oldest first.
pub(super) fn story(page: &Page, language: Language, deal: &KnownDeal) -> Markup {
    // Of what happened under an earlier version no more is known.
    let begins_late = deal.story.first().is_none_or(|line| !begins(line.what));
    html! {
        ol.story {
            @if begins_late {
                li { (view::time(deal.created_at)) span { (language.say(["First reported", "Впервые сообщено"])) } }
            }
            @for line in &deal.story {
                li class=[mood(line.what)] {
                    (view::time(line.at))
                    span { (language.say(text(line.what))) (waits_for(language, line).unwrap_or_default()) " " (ids(page, line)) }
                }
            }
        }
    }
}

fn begins(what: What) -> bool {
    matches!(what, What::Webhook | What::Found | What::Asked)
}

fn text(what: What) -> Text {
    match what {
        What::Webhook => ["A webhook reported it", "О ней сообщил вебхук"],
        What::Found => ["Reconciliation found it in amoCRM", "Её нашла сверка с amoCRM"],
        What::Asked => ["An event asked for it", "О ней сообщило событие"],
        What::Forwarded => ["Inngest took its event", "Inngest принял событие"],
        What::RefusedByInngest => ["Inngest refused its event", "Inngest отклонил событие"],
        What::Lost => ["Inngest lost its event", "Inngest потерял событие"],
        What::Resent => ["It goes to Inngest again", "Она снова идёт в Inngest"],
        What::Looked => {
            ["It goes to be compared with its record", "Она идёт на сравнение с записью"]
        }
        What::Run => ["A run took it", "Её взял запуск"],
        What::Sending => ["It is sent to the ERP", "Отправка в ERP"],
        What::NotTaken => {
            ["The ERP did not take it: nothing was created", "ERP не приняла: ничего не создано"]
        }
        What::Refused => {
            ["The ERP refused it: nothing was created", "ERP отказала: ничего не создано"]
        }
        What::InDoubt => {
            ["No clear answer: the ERP may have created it", "Ответ неясен: запись могла появиться"]
        }
        What::NotSent => ["It was not sent to the ERP", "В ERP не отправлена"],
        What::Recorded => ["The ERP has its record", "В ERP есть запись"],
        What::TookOver => {
            ["It took over the record of a merged lead", "Перешла запись объединённой сделки"]
        }
        What::Failed => ["The run has failed", "Запуск завершился ошибкой"],
        What::NotNeeded => ["It needs no record", "Запись не нужна"],
        What::Changed => ["Its lead was changed in amoCRM", "Сделка изменена в amoCRM"],
        What::DeletionReported => {
            ["Its lead was reported as deleted", "Сообщено об удалении сделки"]
        }
        What::Deleted => ["Its lead is deleted in amoCRM", "Сделка удалена в amoCRM"],
        What::NotShown => ["amoCRM does not show its lead", "amoCRM не показывает сделку"],
        What::Merged => ["Its lead became a part of another lead", "Сделка объединена с другой"],
        What::Same => {
            ["Compared: the record is as the lead", "Сравнение: запись совпадает со сделкой"]
        }
        What::Differs => ["Compared: the record differs", "Сравнение: запись отличается"],
        What::Updating => ["Its record is being updated", "Запись обновляется"],
        What::Updated => ["Its record was updated", "Запись обновлена"],
        What::NotUpdated => ["Its record was not updated", "Запись не обновлена"],
        What::UpdateInDoubt => {
            ["No clear answer: it may have been updated", "Ответ неясен: запись могла обновиться"]
        }
        What::RecordGone => ["The ERP has its record no more", "Записи в ERP больше нет"],
        What::Retried => ["A person sends it again", "Человек отправил снова"],
        What::Dismissed => ["A person has dismissed it", "Человек закрыл"],
        What::Resolved => ["A person found its record", "Человек нашёл запись"],
        What::Absent => ["A person found no record", "Человек записи не нашёл"],
        What::Gap => {
            ["… what happened between is not kept …", "… что было между этим, не сохранено …"]
        }
    }
}

/// Whether a line is what all wait for, or what none wants.
fn mood(what: What) -> Option<&'static str> {
    match what {
        What::Recorded | What::TookOver | What::Resolved | What::Updated | What::Same => {
            Some("good")
        }
        What::RefusedByInngest
        | What::Lost
        | What::NotTaken
        | What::Refused
        | What::InDoubt
        | What::NotSent
        | What::Failed
        | What::NotUpdated
        | What::UpdateInDoubt
        | What::RecordGone => Some("bad"),
        _ => None,
    }
}

/// Why a deal goes no further, as far as the line says so.
fn waits_for(language: Language, line: &Line) -> Option<String> {
    let says_so = matches!(
        line.what,
        What::NotTaken | What::Refused | What::InDoubt | What::NotSent | What::Failed
    );
    let word = line.words.first().filter(|_| says_so)?;
    let what = match deals::waits_for(word).ok()? {
        WaitsFor::Erp => ["waits for the ERP", "ждёт ERP"],
        WaitsFor::AmoCrm => ["waits for amoCRM", "ждёт amoCRM"],
        WaitsFor::Consent => ["waits for a consent in amoCRM", "ждёт согласия в amoCRM"],
        WaitsFor::Person => ["waits for a person", "ждёт человека"],
    };
    Some(format!(", {}", language.say(what)))
}

/// The ids of a line, with the ways to them.
fn ids(page: &Page, line: &Line) -> Markup {
    let last = line.words.last().filter(|id| !id.is_empty());
    html! {
        @match (line.what, last) {
            (What::Run | What::Failed | What::Same | What::Differs | What::Updating, Some(run)) => (page.run(run)),
            (What::Merged, Some(lead)) => a href={ "/?q=" (lead) } { (lead) },
            (What::NotTaken | What::Refused | What::InDoubt | What::NotSent, _) | (_, None) => {},
            (_, Some(id)) => code { (id) },
        }
    }
}
