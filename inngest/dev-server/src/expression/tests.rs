use serde_json::{Value, json};

use super::Expression;
use super::lexer::InvalidExpression;

fn matches(text: &str) -> bool {
    let event = json!({"name": "a", "data": {
        "n": 5, "half": 0.5, "text": "it's", "raw": r"a\n", "list": ["a", 2], "map": {"k": "v"}, "nil": null,
        "yes": true, "a-b": 1,
    }});
    let asynchronous = json!({"data": {"n": 5.0, "id": "x", "raw": r"a\n"}});
    let expression = Expression::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    expression.matches(&event, Some(&asynchronous))
}

#[test]
fn what_holds() {
    for text in [
        "true",
        "event.data.n == 5",
        "event.data.n == async.data.n",
        "event.data.n == 5.0 && event.data.half < 1",
        "event.data.text == \"it's\" && event.data.text != r\"it's\"",
        "async.data.raw == b64decode('YVxu') && async.data.id == 'x'",
        "event.data.n + 1.0 == 6.0 && event.data.list[1] * 2.0 > 3.5 && !(event.data.n + 1 == 6)",
        "int(event.data.n) + 1 == 6 && event.data.list[0] + event.data.n == 'a5'",
        "event.data['a-b'] == 1",
        "event.data.list[0] == \"a\" && event.data.list[1] == 2",
        "2 in event.data.list && 'k' in event.data.map && !('x' in event.data.map)",
        "'a' in ['a', 'b']",
        "size(event.data.list) == 2 && event.data.text.size() == 4",
        "has(event.data.n) && has(async.data.id)",
        "event.data.yes && !(event.data.n > 5)",
        "1 + 2 * 3 == 7 && (1 + 2) * 3 == 9 && 7 / 2 == 3 && -5 % 3 == -2",
        "event.data.n > 3 ? event.data.yes : false",
        "'a' + 'b' == 'ab' && 'n' + 5 == 'n5'",
        "event.data.text.startsWith('it') && event.data.text.endsWith('s')",
        "event.data.text.contains(\"t'\") && uppercase('aB') == 'AB' && lowercase('A') == 'a'",
        "string(5) == '5' && int('5') == 5 && int(5.9) == 5 && double('0.5') == event.data.half",
        "false || event.data.yes",
        r"r'a\n' != 'a\n' && R'' == '' && '''''' == '' && '''a''' != 'a'",
        "event.data.n // the number\n == 5 // and nothing else",
        "007 == 7 && event.data.half == .5 && 1 in [1, 2,] && !(1 in [,])",
    ] {
        assert!(matches(text), "{text}");
    }
}

/// How server 1.43 treats missing values.
#[test]
fn missing_values_do_not_fail() {
    for text in [
        "event.data.missing == null",
        "event.data.missing.deeper == null",
        "event.data.missing != 'a'",
        "event.data.missing < 1",
        "1 > event.data.missing",
        "event.data.nil < 1",
        "event.data.missing || true",
    ] {
        assert!(matches(text), "{text}");
    }
    for text in [
        "event.data.missing",
        "!event.data.missing",
        "event.data.missing == 'a'",
        "event.data.missing != null",
        "event.data.missing > 1",
        "event.data.nil == 0",
        "event.data.missing.contains('a')",
        "event.data.n == '5'",
        "event.data.text > 5",
        // With `event` in it, no text with an escape equals anything.
        "async.data.raw == b64decode('YVxu') && event.data.n == 5",
        r"async.data.id == 'x' && async.data.raw == event.data.raw && event.data.n == 5",
        // Only `true` is a match.
        "event.data.n",
        "event.data.text",
    ] {
        assert!(!matches(text), "{text}");
    }
}

/// In the condition of a wait or of a cancellation, a field that both events lack is equal [observed on 1.43].
#[test]
fn what_both_events_lack_is_equal() {
    let (event, asynchronous) = (json!({"data": {"n": 1}}), json!({"data": {"m": 1}}));
    let matches = |text: &str, asynchronous: Option<&Value>| {
        Expression::parse(text).is_ok_and(|parsed| parsed.matches(&event, asynchronous))
    };
    for text in ["event.data.x == async.data.x", "event.data.x.y == async.data.x.y"] {
        assert!(matches(text, Some(&asynchronous)), "{text}");
    }
    for text in [
        "event.data.n == async.data.n",
        "event.data.m == async.data.m",
        "async.data.x == async.data.y",
        "async.data.x == event.data.x",
    ] {
        assert!(!matches(text, Some(&asynchronous)), "{text}");
    }
    // A trigger has one event, and missing fields stay missing.
    assert!(!matches("event.data.x == event.data.y", None));
}

#[test]
fn what_cannot_be_read_is_refused() {
    for text in [
        "",
        " ",
        "// only a comment",
        "event.data.x ==",
        "'a\nb'",
        "'a\rb'",
        "[,,]",
        "[, 1]",
        "event.data.n < 1e400",
        "'''a''",
        "r'a",
        "(",
        "event.data.x == 'a",
        "f(]",
        ")",
        "event.",
        "1 2",
        "a == 1",
        "event..a",
    ] {
        let refused = Expression::parse(text);
        assert!(
            matches!(
                refused,
                Err(InvalidExpression::Syntax(_) | InvalidExpression::Unsupported(_))
            ),
            "{text}"
        );
    }
    for (text, name) in [
        ("event.data.list.exists(x, x == 1)", "exists()"),
        ("event.data.text.matches('a.*')", "matches()"),
        ("date(event.ts)", "date()"),
        ("{'a': 1} == event.data", "map literal"),
        ("b'a' == event.name", "string prefix"),
        ("1u == event.data.n", "1u"),
    ] {
        let error =
            Expression::parse(text).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("not supported") || error.contains("undeclared"), "{text}: {error}");
        assert!(error.contains(name) || error.contains('x'), "{text}: {error}");
    }
    assert!(Expression::parse(&"(".repeat(10_000)).is_err());
    assert!(Expression::parse(&"!".repeat(10_000)).is_err());
    assert!(Expression::parse(&format!("event{}", ".a".repeat(100_000))).is_err());
    assert!(Expression::parse(&format!("1{}", " + 1".repeat(100_000))).is_err());
}

#[test]
fn keys_are_texts() {
    let event = json!({"data": {"a": "x", "n": 5, "o": {"b": 1}}});
    for (text, key) in [
        ("event.data.a", "x"),
        ("event.data.n", "5"),
        ("event.data.o", r#"{"b":1}"#),
        ("event.data.z", ""),
    ] {
        assert_eq!(Expression::parse(text).map(|e| e.key(&event)), Ok(key.to_owned()), "{text}");
    }
}
