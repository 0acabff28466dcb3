//! The forms in which bodies come, and the content types that they are given.

use std::io::Write as _;

use axum::body::Body;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::Request;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use sandbox::bodies;
use serde_json::{Value, json};

use super::webhooks::{Answer, Service, accepted};
use crate::inbox::read::BODY_LIMIT;

const BOUNDARY: &str = "----WebKitFormBoundary7MA4YWxk";

impl Service {
    /// Receives a body under a content type.
    async fn receives_as(&self, content_type: &str, body: impl AsRef<[u8]>) -> Answer {
        let request = Request::post("/api/amocrm-webhook").header(CONTENT_TYPE, content_type);
        self.answers(request.body(Body::from(body.as_ref().to_vec())).unwrap()).await
    }

    /// Why the one body that was kept could not be read.
    async fn problem(&self) -> String {
        let [kept] = self.inbox.unreadable(9).await.unwrap().try_into().unwrap();
        kept.problem
    }
}

/// What `body` says when it comes as it is, in whatever form.
async fn leads_of(content_type: &str, body: impl AsRef<[u8]>) -> Vec<Value> {
    let service = Service::start().await;
    let answer = service.receives_as(content_type, body).await;
    let leads = service.waiting().await;
    assert_eq!((answer, service.unparsable().await), (accepted(leads.len()), 0));
    leads
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(body).unwrap();
    packed.finish().unwrap()
}

/// A form as multipart, its lines ended by `end`.
fn multipart(form: &str, end: &str) -> String {
    let part = |(name, value)| {
        let disposition = format!("Content-Disposition: form-data; name=\"{name}\"");
        format!("--{BOUNDARY}{end}{disposition}{end}Content-Type: text/plain{end}{end}{value}{end}")
    };
    let parts: String = form_urlencoded::parse(form.as_bytes()).map(part).collect();
    format!("{parts}--{BOUNDARY}--{end}")
}

/// A form as JSON with the same keys, flat.
fn flat_json(form: &str) -> String {
    let pairs = form_urlencoded::parse(form.as_bytes());
    pairs.map(|(key, value)| (key.into_owned(), Value::from(value))).collect::<Value>().to_string()
}

fn nested_json() -> Value {
    json!({
        "leads": {"status": [{
            "id": 45_721_053, "status_id": "77186758", "pipeline_id": 9_679_730,
            "old_status_id": 77_186_754, "old_pipeline_id": "9679730",
            "name": null, "custom_fields": [{"id": 1, "values": [{"value": "leads[add][0][id]"}]}],
        }]},
        "account": {"id": "32452514", "subdomain": "oooprometei"},
        "contacts": {"deep": serde_json::from_str::<Value>(&deep(100)).unwrap()},
    })
}

fn deep(levels: usize) -> String {
    "[".repeat(levels) + &"]".repeat(levels)
}

#[tokio::test]
async fn a_form_is_known_by_its_bytes() {
    let as_it_comes = leads_of("application/x-www-form-urlencoded", bodies::ORIGINAL).await;
    assert_eq!(as_it_comes.len(), 1);
    for other in ["", "text/plain", "application/json", "multipart/form-data; boundary=i"] {
        assert_eq!(leads_of(other, bodies::ORIGINAL).await, as_it_comes, "{other}");
    }
}

#[tokio::test]
async fn every_form_of_the_same_keys_is_read() {
    let as_it_comes = leads_of("", bodies::ORIGINAL).await;
    let twice = bodies::ORIGINAL.replace("%5B", "%255B").replace("%5D", "%255D");
    let mut numbered = nested_json();
    let entry = numbered["leads"]["status"][0].take();
    numbered["leads"]["status"] = json!({ "0": entry });
    let mut marked = b"\xef\xbb\xbf\n".to_vec();
    marked.extend(bodies::ORIGINAL.as_bytes());
    for (form, body) in [
        ("brackets encoded twice", twice.into_bytes()),
        ("a mark of the byte order", marked),
        ("JSON", nested_json().to_string().into_bytes()),
        ("JSON with spaces", format!(" {:#}\n", nested_json()).into_bytes()),
        ("JSON with objects for lists", numbered.to_string().into_bytes()),
        ("JSON with flat keys", flat_json(bodies::ORIGINAL).into_bytes()),
        ("multipart", multipart(bodies::ORIGINAL, "\r\n").into_bytes()),
        ("multipart with bare newlines", multipart(bodies::ORIGINAL, "\n").into_bytes()),
        ("gzip", gzip(bodies::ORIGINAL.as_bytes())),
        ("gzip with JSON", gzip(nested_json().to_string().as_bytes())),
    ] {
        assert_eq!(leads_of("text/plain", body).await, as_it_comes, "{form}");
    }
}

#[tokio::test]
async fn multipart_with_other_text_before_it_is_known_by_its_content_type() {
    let body = format!("a preamble\r\n{}", multipart(bodies::SEVERAL, "\r\n"));
    let content_type = format!("Multipart/Form-Data; boundary=\"{BOUNDARY}\"; charset=utf-8");
    assert_eq!(leads_of(&content_type, body).await.len(), 3);
}

#[tokio::test]
async fn what_a_proxy_did_to_a_body_is_known_by_its_bytes_too() {
    // One that unpacked the body and left the header.
    let service = Service::start().await;
    let request = Request::post("/api/amocrm-webhook").header(CONTENT_ENCODING, "gzip");
    let request = request.body(Body::from(bodies::ORIGINAL)).unwrap();
    assert_eq!(service.answers(request).await, accepted(1));
}

#[tokio::test]
async fn json_may_be_deep_where_it_does_not_matter() {
    let deep = deep(100_000);
    let body = format!(r#"{{"x":{deep},"leads":{{"add":[{{"id":5,"x":{deep}}}]}}}}"#);
    assert_eq!(leads_of("", body).await[0]["leadId"], 5);
}

#[tokio::test]
async fn what_is_cut_off_names_no_lead_that_may_be_another_one() {
    let whole = multipart(bodies::ORIGINAL, "\r\n");
    let multipart_cut = whole.split_once("5721053").unwrap().0;
    let packed = gzip(bodies::ORIGINAL.as_bytes());
    let big = gzip("leads[add][0][id]=5&".repeat(BODY_LIMIT / 20 + 1).as_bytes());
    for (body, problem) in [
        (br#"{"leads":{"add":[{"id":4572"#.as_slice(), "broken JSON: EOF while parsing"),
        (multipart_cut.as_bytes(), "no amoCRM webhook"),
        (&packed[..packed.len() - 9], "broken gzip: "),
        (&big, "it unpacks to more than 4 MiB"),
        (b"\x1f\x8b", "broken gzip: "),
    ] {
        let service = Service::start().await;
        assert_eq!(service.receives_as("text/x", body).await.0, 200);
        let kept = service.problem().await;
        assert!(kept.starts_with(problem), "{kept}");
        assert!(kept.ends_with(" (content type: text/x)"), "{kept}");
        assert_eq!(service.waiting().await, [] as [Value; 0]);
    }
}

#[tokio::test]
async fn leads_before_the_end_of_a_multipart_form_that_is_cut_off_are_stored() {
    let body = multipart(bodies::SEVERAL, "\r\n");
    let cut = body.split_once("leads[status][1][status_id]").unwrap().0;
    let service = Service::start().await;
    assert_eq!(service.receives(cut).await, accepted(2));
    let problem = "a part of the multipart form could not be read, or its end is missing";
    assert_eq!(service.problem().await, problem);
}

#[tokio::test]
async fn an_entry_of_json_without_an_id_is_listed() {
    let service = Service::start().await;
    let body =
        r#"{"leads":{"status":[{},{"id":-1},{"id":1.5},{"id":99999999999999999999},{"id":true}]}}"#;
    assert_eq!(service.receives(body).await.0, 200);
    let problem = service.problem().await;
    assert!(problem.starts_with("leads[status][0]: it has no id; leads[status][1]: its id is no"));
    assert_eq!(problem.matches("its id is no positive number").count(), 4);
}

#[tokio::test]
async fn a_packed_body_that_is_empty_is_empty() {
    let service = Service::start().await;
    assert_eq!(service.receives(gzip(b" ")).await, accepted(0));
    assert_eq!(service.unparsable().await, 0);
}
