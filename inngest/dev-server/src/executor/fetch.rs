//! Requests that the server makes for a function: `step.fetch` and `step.ai.infer` (P-109, P-135, P-136).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Map, Value, json};

use super::reply::decode;
use super::turn::Turn;
use crate::http_client::{Answer, HttpClient, NoAnswer, Request};
use crate::ops::{Fetch, Step};
use crate::run::end::End;

/// Models may take long.
const TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// The outcome of a request.
type Fetched = Result<Answer, NoAnswer>;

pub(super) async fn perform(http: &HttpClient, fetch: &Fetch) -> Fetched {
    let refused = |what: String| NoAnswer::Unreachable(what);
    let method = Method::from_bytes(fetch.method.as_bytes())
        .map_err(|_| refused(format!("{:?} is not a method", fetch.method)))?;
    let mut headers = HeaderMap::new();
    for (name, value) in &fetch.headers {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| refused(format!("{name:?} is not a header name")))?;
        let value = HeaderValue::from_str(value)
            .map_err(|_| refused(format!("the header {name} has a value that cannot be sent")))?;
        headers.append(name, value);
    }
    let body = Bytes::from(fetch.body.clone());
    let url = fetch.url.clone();
    http.send(Request { method, url, headers, body, timeout: TIMEOUT }).await
}

impl Turn<'_> {
    /// Saves the answer. A failed request is tried again as often as the function would be.
    ///
    /// The real server calls the function again for that, which reports the same step; this one repeats only the request.
    pub(super) fn fetched(
        &mut self,
        step: &Step,
        fetch: &Fetch,
        fetched: Fetched,
    ) -> Result<(), End> {
        let mut body = None;
        let problem = match fetched {
            Ok(answer) if !fetch.inference => {
                let data = response(fetch, &answer);
                return self.save(step, Arc::new(json!({"data": data})));
            }
            Ok(answer) => match inference(&answer) {
                Ok(data) => return self.save(step, Arc::new(json!({"data": data}))),
                Err(problem) => {
                    body = Some(answer.body);
                    problem
                }
            },
            Err(no_answer) => no_answer.to_string(),
        };
        let (name, what) =
            if fetch.inference { ("AIGatewayError", "AI") } else { ("GatewayError", "gateway") };
        let message = format!("Error making {what} request: {problem}");
        let mut error = json!({"name": name, "message": message});
        if let Some(body) = body {
            error["data"] = decode(&body);
            error["stack"] = json!(String::from_utf8_lossy(&body));
        }
        if self.has_attempts_left() {
            self.retry(Some(step.name.clone()), error, None);
            return Ok(());
        }
        self.save_error(step, &error)
    }
}

/// The result of `step.fetch`: any status is one (P-109).
fn response(fetch: &Fetch, answer: &Answer) -> Value {
    let mut headers = Map::new();
    for name in answer.headers.keys() {
        let values = answer.headers.get_all(name).iter();
        let values: Vec<_> = values.map(|v| String::from_utf8_lossy(v.as_bytes())).collect();
        headers.insert(canonical(name.as_str()), json!(values.join(",")));
    }
    json!({
        "url": fetch.url.as_str(),
        "status_code": answer.status,
        "headers": headers,
        "body": String::from_utf8_lossy(&answer.body),
    })
}

/// Header names as the real server shows them: `Content-Type`.
fn canonical(name: &str) -> String {
    let capitalised = name.split('-').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_ascii_uppercase() + rest
    });
    capitalised.collect::<Vec<_>>().join("-")
}

fn inference(answer: &Answer) -> Result<Value, String> {
    if !(200..300).contains(&answer.status) {
        return Err(format!("unsuccessful status code: {}", answer.status));
    }
    serde_json::from_slice(&answer.body).map_err(|error| format!("the answer is no JSON: {error}"))
}
