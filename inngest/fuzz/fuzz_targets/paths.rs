//! What stands in the paths of requests to Inngest: an event key, the id of a run, the name of a deployment. Each stays in
//! its place, and the server reads it as it was.
#![no_main]

use http::{Method, Request};
use inngest::{Config, Context, Function, NewEvent, Result, Settings};
use inngest_fuzz::{Any, Kept, answer, client, ended, post, serving};
use libfuzzer_sys::fuzz_target;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use serde_json::json;
use url::Url;

struct Nothing;

impl Function for Nothing {
    type Event = Any;
    type Output = ();
    type OnFailure = ();

    fn config() -> Config {
        Config::id("fn")
    }

    async fn run(&self, _: Context<'_, Self>) -> Result<()> {
        Ok(())
    }
}

fuzz_target!(|text: &str| {
    event_key(text);
    run_id(text);
    deployment(text);
});

/// The addresses of the requests, as the usual HTTP client reads them.
fn urls(kept: &Kept) -> Vec<Url> {
    let requests = kept.take().into_iter();
    requests.map(|request| request.uri().to_string().parse().expect("a URL")).collect()
}

fn event_key(text: &str) {
    let kept = Kept::default();
    let mut settings = Settings::dev();
    settings.event_key = Some(text.to_owned());
    let client = client(settings, kept.clone());
    assert!(ended(client.send(&[NewEvent::named("demo/sent", json!({}))])).is_err());
    let key = match text.trim() {
        "" => "NO_EVENT_KEY_SET",
        key => key,
    };
    let urls = urls(&kept);
    assert_eq!(urls.len(), 1);
    is_segment(&urls[0], &["e"], key, &[]);
}

fn run_id(text: &str) {
    let kept = Kept::default();
    let endpoint = serving(Settings::dev(), kept.clone(), Nothing);
    let body = json!({ "ctx": { "run_id": text, "use_api": true }, "use_api": true, "steps": {} });
    assert_eq!(answer(&endpoint, post(body.to_string())).status, 500);
    let urls = urls(&kept);
    for url in &urls {
        let last = if url.path().ends_with("/batch") { "batch" } else { "actions" };
        is_segment(url, &["v0", "runs"], text, &[last]);
    }
    assert!(!urls.is_empty() || text.is_empty());
}

/// `path` is `before`, one segment, and `after`, and no query follows.
fn is_segment(url: &Url, before: &[&str], text: &str, after: &[&str]) {
    assert_eq!((url.query(), url.fragment()), (None, None), "{url}");
    // A client takes these for steps within the path. No id is one, and no key works that is one.
    if [".", ".."].contains(&text) {
        return;
    }
    let read = as_the_server_reads(url.path());
    let wanted = [before, &[text], after].concat();
    assert_eq!(url.path().split('/').count(), wanted.len() + 1, "{url}");
    if !text.contains('/') {
        assert_eq!(read, format!("/{}", wanted.join("/")).as_bytes(), "{url}");
    }
}

/// What Go escapes in a path.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b',')
    .remove(b'/')
    .remove(b':')
    .remove(b';')
    .remove(b'=')
    .remove(b'@');

/// Decoded where Go would have escaped it in the same way, and otherwise as it came (P-172).
fn as_the_server_reads(path: &str) -> Vec<u8> {
    let decoded: Vec<u8> = percent_decode_str(path).collect();
    let as_go_writes_it = percent_encode(&decoded, ESCAPED).to_string() == path;
    if as_go_writes_it { decoded } else { path.as_bytes().to_vec() }
}

fn deployment(text: &str) {
    let kept = Kept::default();
    let endpoint = serving(Settings::dev(), kept.clone(), Nothing);
    let query: String =
        url::form_urlencoded::Serializer::new(String::new()).append_pair("deployId", text).finish();
    let request = Request::builder().method(Method::PUT).uri(format!("/api/inngest?{query}"));
    answer(&endpoint, request.body(bytes::Bytes::new()).expect("a request"));
    for url in urls(&kept) {
        assert_eq!((url.path(), url.fragment()), ("/fn/register", None), "{url}");
        let pairs: Vec<_> = url.query_pairs().collect();
        assert!(
            pairs.is_empty()
                || pairs.len() == 1 && pairs[0].0 == "deployId" && text.starts_with(&*pairs[0].1),
            "{url}"
        );
    }
}
