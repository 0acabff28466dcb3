use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{
    MAX_DEPTH, MAX_REPLY, MAX_STEP_OUTPUT, Unsavable, WRAPPER, decode, function_result,
    payload_text, step_output, step_result,
};

fn refusal(value: &impl Serialize) -> String {
    step_output(value).expect_err("refused").to_string()
}

fn text(value: &impl Serialize) -> String {
    step_output(value).expect("accepted").get().to_owned()
}

#[test]
fn t32_integers_beyond_2_to_the_53_are_refused_wherever_they_are() {
    let edge = 1_u64 << 53;
    assert_eq!(text(&edge), "9007199254740992");
    assert_eq!(text(&-9_007_199_254_740_992_i64), "-9007199254740992");
    assert!(refusal(&(edge + 1)).contains("9007199254740993 is beyond 2^53"));
    assert!(refusal(&u64::MAX).contains("18446744073709551615"));
    assert!(refusal(&i64::MIN).contains("-9223372036854775808"));
    assert!(refusal(&u128::MAX).contains("beyond 2^53"));
    assert!(refusal(&json!({ "a": [{ "b": u64::MAX }] })).contains("beyond 2^53"));
    assert!(refusal(&Some((1, vec![i64::MAX]))).contains("beyond 2^53"));
    let raw = RawValue::from_string("[9007199254740993]".to_owned()).expect("JSON");
    assert!(refusal(&raw).contains("beyond 2^53"), "also inside raw JSON");
    assert_eq!(text(&1e300), "1e+300", "a float is a float");
}

#[test]
fn t33_numbers_that_json_does_not_have_are_refused() {
    assert_eq!(refusal(&f64::NAN), "the number NaN does not exist in JSON");
    assert_eq!(refusal(&vec![f32::INFINITY]), "the number inf does not exist in JSON");
    assert_eq!(
        refusal(&json!({})["x"].as_f64().map_or(f64::NEG_INFINITY, |x| x)),
        "the number -inf does not exist in JSON"
    );
}

#[test]
fn t34_text_is_kept_as_it_is() {
    assert_eq!(text(&"ünï \u{0} e\u{301} \u{1f600}"), "\"ünï \\u0000 e\u{301} \u{1f600}\"");
    let raw = RawValue::from_string(r#""\ud800 x""#.to_owned()).expect("text to the parser");
    assert!(refusal(&raw).contains("surrogate") || refusal(&raw).contains("hex escape"));
}

#[test]
fn t35_keys_must_be_texts() {
    #[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
    enum Color {
        Red,
    }
    #[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
    struct Name(String);
    assert_eq!(text(&BTreeMap::from([(Color::Red, 1)])), r#"{"Red":1}"#);
    assert_eq!(text(&BTreeMap::from([(Name("a".into()), 1)])), r#"{"a":1}"#);
    for refused in
        [refusal(&BTreeMap::from([((1, 2), 1)])), refusal(&BTreeMap::from([(None::<String>, 1)]))]
    {
        assert!(refused.contains("a key that is neither text nor number"), "{refused}");
    }
}

#[test]
fn t35_numbers_as_keys_are_written_as_texts_and_read_back() {
    let numbers = HashMap::from([(u64::MAX, 'a'), (9, 'b'), (10, 'c')]);
    let json = step_result(&numbers).expect("accepted");
    assert_eq!(decode::<HashMap<u64, char>>(&json).expect("the same"), numbers);
    let truths = BTreeMap::from([(false, -1), (true, 1)]);
    let json = step_result(&truths).expect("accepted");
    assert_eq!(json.get(), r#"{"false":-1,"true":1}"#);
    assert_eq!(decode::<BTreeMap<bool, i8>>(&json).expect("the same"), truths);
}

#[test]
fn what_cannot_be_read_back_is_refused() {
    // Such an enum is read through a buffer, to which a key that was a number is a text.
    #[derive(Serialize, Deserialize)]
    #[serde(tag = "kind")]
    enum Reading {
        ByHour { sums: BTreeMap<u8, u32> },
    }
    let reading = Reading::ByHour { sums: BTreeMap::from([(7, 1)]) };
    let refused = step_result(&reading).expect_err("refused").to_string();
    assert!(refused.starts_with("it could not be read back: "), "{refused}");
    assert!(refused.contains("expected u8"), "{refused}");
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!(1), |inner, _| Value::Array(vec![inner]))
}

#[test]
fn what_nests_too_deeply_to_be_read_back_is_refused() {
    #[derive(Serialize)]
    enum Level {
        One(Value),
        Two { value: Value },
    }
    let json = step_output(&nested(MAX_DEPTH)).expect("accepted");
    assert!(decode::<Value>(&json).is_ok());
    let raw = |levels| RawValue::from_string("[".repeat(levels) + &"]".repeat(levels));
    assert!(step_output(&raw(MAX_DEPTH).expect("JSON")).is_ok());
    assert!(step_output(&[json!([]), nested(MAX_DEPTH - 1), nested(3)]).is_ok(), "side by side");
    assert!(step_output(&Level::One(nested(MAX_DEPTH - 1))).is_ok());
    assert!(step_output(&Level::Two { value: nested(MAX_DEPTH - 2) }).is_ok());
    for refused in [
        step_output(&nested(MAX_DEPTH + 1)),
        step_output(&nested(10_000)),
        step_output(&raw(MAX_DEPTH + 1).expect("JSON")),
        step_output(&[raw(MAX_DEPTH).expect("JSON")]),
        step_output(&Level::One(nested(MAX_DEPTH))),
        step_output(&Level::Two { value: nested(MAX_DEPTH - 1) }),
    ] {
        assert_eq!(refused.expect_err("refused"), Unsavable::TooDeep);
    }
}

#[test]
fn p063_a_repeated_key_is_refused_and_unsorted_maps_are_not() {
    #[derive(Serialize)]
    struct Inner {
        a: u8,
        z: u8,
    }
    #[derive(Serialize)]
    struct Outer {
        z: u8,
        #[serde(flatten)]
        inner: Inner,
    }
    let outer = Outer { z: 1, inner: Inner { a: 2, z: 3 } };
    assert_eq!(refusal(&outer), "the key `z` occurs twice in one object");
    let many: HashMap<String, u32> = (0..100).map(|n| (n.to_string(), n)).collect();
    assert!(text(&many).len() > 500);
    let raw = RawValue::from_string(r#"[{"a":1,"\u0061":2}]"#.to_owned()).expect("JSON");
    assert_eq!(refusal(&raw), "the key `a` occurs twice in one object");
}

#[test]
fn p063_a_repeated_key_is_found_wherever_it_stands() {
    struct Keys(Vec<u32>);
    impl Serialize for Keys {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map(self.0.iter().map(|key| (format!("{key:03}"), ())))
        }
    }
    for many in [2, 15, 16, 17, 18, 40] {
        let rising: Vec<u32> = (0..many).collect();
        let falling: Vec<u32> = rising.iter().rev().copied().collect();
        for keys in [rising, falling] {
            assert!(step_output(&Keys(keys.clone())).is_ok(), "{keys:?}");
            for again in 0..many {
                let repeated = Keys([keys.clone(), vec![again]].concat());
                let what = format!("the key `{again:03}` occurs twice in one object");
                assert_eq!(refusal(&repeated), what, "{keys:?}");
            }
        }
    }
}

#[test]
fn fields_keep_their_order() {
    #[derive(Serialize)]
    struct Result {
        name: &'static str,
        body: &'static str,
    }
    assert_eq!(text(&Result { name: "n", body: "ok" }), r#"{"name":"n","body":"ok"}"#, "P-206");
}

#[test]
fn t36_t37_sizes_are_limited() {
    let of = |bytes: usize| "x".repeat(bytes - 2);
    assert!(step_output(&of(MAX_STEP_OUTPUT - 100)).is_ok());
    assert!(step_output(&of(MAX_STEP_OUTPUT - WRAPPER)).is_ok());
    assert_eq!(
        refusal(&of(MAX_STEP_OUTPUT - WRAPPER + 1)),
        "it has 4194296 bytes of JSON; the server takes at most 4194295"
    );
    assert!(function_result(&of(MAX_REPLY)).is_ok());
    assert!(function_result(&of(MAX_REPLY + 1)).is_err());
}

/// I3: the largest that server 1.43 takes, and one byte more.
#[test]
fn sizes_are_those_that_the_server_counts() {
    let room = MAX_STEP_OUTPUT - WRAPPER - 2;
    for character in ["<", "\u{2028}", "\u{1}"] {
        assert!(step_output(&character.repeat(room / 6)).is_ok(), "{character:?}");
        assert!(step_output(&character.repeat(room / 6 + 1)).is_err(), "{character:?}");
    }
    assert_eq!(
        refusal(&"<".repeat(1_000_000)),
        "it has 1000002 bytes of JSON, 6000002 as the server counts them, to which `<`, `>` and `&` have six each; it \
         takes at most 4194295"
    );
    // A function's result is measured as it comes.
    assert!(function_result(&"<".repeat(MAX_REPLY - 2)).is_ok());
    let quotes = "\"".repeat(1_100_000);
    assert!(step_output(&quotes).is_ok());
    assert!(payload_text(&quotes).is_err(), "inside a text each is escaped twice");
}
