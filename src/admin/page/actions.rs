//! What a person decides on the page: asked first, done by a second click.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use maud::html;

use super::Page;
use super::layout::{Shown, response};
use super::words::{Language, Text};
use crate::deals::{self, Resolution, Which};

/// What can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Retry,
    Resolve,
    Dismiss,
}

impl Act {
    fn named(name: &str) -> Option<Self> {
        match name {
            "retry" => Some(Self::Retry),
            "resolve" => Some(Self::Resolve),
            "dismiss" => Some(Self::Dismiss),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Resolve => "resolve",
            Self::Dismiss => "dismiss",
        }
    }

    /// `has_record`: what differs between the record of the deal and its lead is meant.
    fn question(self, has_record: bool) -> Text {
        match self {
            Self::Retry => ["Send this deal again?", "Отправить сделку снова?"],
            Self::Resolve => ["Is the record in the ERP?", "Есть ли запись в ERP?"],
            Self::Dismiss if has_record => {
                ["Leave the record as it is?", "Оставить запись как есть?"]
            }
            Self::Dismiss => ["Shall this deal have no record?", "Оставить сделку без записи?"],
        }
    }
}

/// Asks whether that is meant. Changes nothing.
pub(super) async fn confirm(
    State(page): State<Arc<Page>>,
    headers: HeaderMap,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let language = Language::of(&headers);
    let get = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let Some(act) = Act::named(get("do")) else { return unknown(language) };
    let say = |text| language.say(text);
    let differing = match deals::differing_deal(&page.admin.db, get("deal")).await {
        Ok(differing) => differing,
        Err(error) => return response(language, Err(error)),
    };
    let question = say(act.question(differing.is_some()));
    let body = html! {
        h1 { (question) }
        p { code { (get("deal")) } }
        form.act action="/act" method="post" {
            input type="hidden" name="do" value=(act.name());
            input type="hidden" name="deal" value=(get("deal"));
            input type="hidden" name="click" value=(page.access.click());
            @match act {
                Act::Retry => p { (say([
                    "Do this after the cause is mended. A second record cannot come of it.",
                    "Сначала устраните причину. Второй записи от этого не появится.",
                ])) },
                Act::Dismiss if differing.is_some() => {
                    p { (say([
                        "The difference is listed no more. Another change is listed again.",
                        "Это различие больше не показывается. Новое изменение появится снова.",
                    ])) }
                    input type="hidden" name="why" value="left as it is";
                }
                Act::Dismiss => {
                    label for="why" { (say(["Why? It is kept with the deal.", "Почему? Сохраняется вместе со сделкой."])) }
                    input id="why" name="why" required;
                }
                Act::Resolve => {
                    label for="record" { (say([
                        "Its id in the ERP; empty if you have looked and there is none: then the deal is sent again.",
                        "Номер записи в ERP; пусто, если вы проверили и записи нет: тогда сделка отправится снова.",
                    ])) }
                    input id="record" name="record" inputmode="numeric" pattern="[0-9]*";
                }
            }
            div.acts {
                button.main { (say(["Yes, do it", "Да"])) }
                a href="/" { (say(["No, back", "Нет, назад"])) }
            }
        }
    };
    let title = question.to_owned();
    response(language, Ok(Shown { status: StatusCode::OK, title, body }))
}

/// Does it.
pub(super) async fn act(
    State(page): State<Arc<Page>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let language = Language::of(&headers);
    let form: HashMap<_, _> = form_urlencoded::parse(&body).into_owned().collect();
    let get = |name: &str| form.get(name).map(|value| value.trim()).unwrap_or_default();
    if !page.access.is_own_click(&headers, get("click")) {
        let title = language.say(["Nothing was changed", "Ничего не изменено"]);
        let text = language.say([
            "This click did not come from a page of this process. Load the page again and repeat it.",
            "Этот запрос пришёл не со страницы этого процесса. Обновите страницу и повторите.",
        ]);
        return response(
            language,
            Ok(Shown::message(StatusCode::FORBIDDEN, language, title, text)),
        );
    }
    let Some(act) = Act::named(get("do")) else { return unknown(language) };
    let (which, why, record) = (Which::Key(get("deal").to_owned()), get("why"), get("record"));
    let done = match act {
        Act::Dismiss if why.is_empty() => return unknown(language),
        Act::Resolve if record.bytes().any(|byte| !byte.is_ascii_digit()) => {
            return unknown(language);
        }
        Act::Retry => deals::send_again(&page.admin.db, &which).await,
        Act::Dismiss => page.admin.inbox.dismiss(&which, why).await,
        Act::Resolve => deals::end_doubt(&page.admin.db, &which, &found(record)).await,
    };
    let shown = done.map(|changed| {
        tracing::info!(act = act.name(), deals = ?changed, "decided on the status page");
        let (status, title, text) = if changed.is_empty() {
            (
                StatusCode::CONFLICT,
                ["Nothing was changed", "Ничего не изменено"],
                [
                    "There is no such deal, it has its record, or it is on its way at this moment.",
                    "Такой сделки нет, у неё уже есть запись, или она отправляется прямо сейчас.",
                ],
            )
        } else {
            (
                StatusCode::OK,
                ["Done", "Готово"],
                ["The service goes on from here.", "Дальше всё пойдёт само."],
            )
        };
        Shown::message(status, language, language.say(title), language.say(text))
    });
    response(language, shown)
}

/// What a person says of a record: its id, or nothing where there is none.
fn found(record: &str) -> Resolution {
    match record {
        "" => Resolution::Absent,
        id => Resolution::Exists(id.to_owned()),
    }
}

fn unknown(language: Language) -> Response {
    let title = language.say(["This cannot be done", "Так не получится"]);
    let text = language.say(["The form is not complete.", "Форма заполнена не полностью."]);
    response(language, Ok(Shown::message(StatusCode::BAD_REQUEST, language, title, text)))
}
