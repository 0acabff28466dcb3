//! What is known of the values in an expression, and which functions the server has.

/// The kind of a value, as far as it can be told without the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Anything: a field of an event, mostly.
    Any,
    Bool,
    Text,
    Bytes,
    Integer,
    Unsigned,
    Float,
    Null,
    List,
    Map,
    Type,
    /// A time or a period.
    Time,
}

impl Kind {
    /// Whether it may be one of these.
    pub(super) fn may_be(self, kinds: &[Self]) -> bool {
        self == Self::Any || kinds.contains(&self)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Any => "a value",
            Self::Bool => "a condition",
            Self::Text => "a text",
            Self::Bytes => "bytes",
            Self::Integer | Self::Unsigned | Self::Float => "a number",
            Self::Null => "null",
            Self::List => "a list",
            Self::Map => "a map",
            Self::Type => "a type",
            Self::Time => "a time",
        }
    }
}

/// Names that mean something by themselves.
pub(super) fn named(name: &str) -> Option<Kind> {
    Some(match name {
        "event" | "async" | "vars" => Kind::Map,
        "true" | "false" => Kind::Bool,
        "null" => Kind::Null,
        "int" | "uint" | "double" | "bool" | "string" | "bytes" | "list" | "map" | "null_type"
        | "type" => Kind::Type,
        _ => return None,
    })
}

/// A function: its name, how many arguments it takes, the kinds of the first, and what it comes to.
struct Function {
    name: &'static str,
    arguments: usize,
    of: &'static [Kind],
    result: Kind,
}

const ANY: &[Kind] = &[
    Kind::Bool,
    Kind::Text,
    Kind::Bytes,
    Kind::Integer,
    Kind::Unsigned,
    Kind::Float,
    Kind::Null,
    Kind::List,
    Kind::Map,
    Kind::Type,
    Kind::Time,
];
const NUMBERS: &[Kind] = &[Kind::Integer, Kind::Unsigned, Kind::Float];
const TEXT: &[Kind] = &[Kind::Text];
const SIZED: &[Kind] = &[Kind::Text, Kind::Bytes, Kind::List, Kind::Map];
const NUMERIC: &[Kind] = &[Kind::Text, Kind::Integer, Kind::Unsigned, Kind::Float, Kind::Time];
const DATED: &[Kind] = &[Kind::Text, Kind::Integer, Kind::Float, Kind::Time];

const fn function(
    name: &'static str,
    arguments: usize,
    of: &'static [Kind],
    result: Kind,
) -> Function {
    Function { name, arguments, of, result }
}

/// Called by themselves.
const FUNCTIONS: [Function; 20] = [
    function("size", 1, SIZED, Kind::Integer),
    function("matches", 2, TEXT, Kind::Bool),
    function("int", 1, NUMERIC, Kind::Integer),
    function("uint", 1, NUMERIC, Kind::Unsigned),
    function("double", 1, NUMERIC, Kind::Float),
    function("bool", 1, &[Kind::Bool, Kind::Text], Kind::Bool),
    function(
        "string",
        1,
        &[
            Kind::Bool,
            Kind::Text,
            Kind::Bytes,
            Kind::Integer,
            Kind::Unsigned,
            Kind::Float,
            Kind::Time,
        ],
        Kind::Text,
    ),
    function("bytes", 1, &[Kind::Text, Kind::Bytes], Kind::Bytes),
    function("type", 1, ANY, Kind::Type),
    function("dyn", 1, ANY, Kind::Any),
    function("timestamp", 1, DATED, Kind::Time),
    function("duration", 1, DATED, Kind::Time),
    function("date", 1, DATED, Kind::Time),
    function("now", 0, ANY, Kind::Time),
    function("now_plus", 1, TEXT, Kind::Time),
    function("now_minus", 1, TEXT, Kind::Time),
    function("uppercase", 1, TEXT, Kind::Text),
    function("lowercase", 1, TEXT, Kind::Text),
    function("b64decode", 1, TEXT, Kind::Any),
    function("json_parse", 1, TEXT, Kind::Any),
];

/// Called on a value, which counts as the first argument.
const METHODS: [Function; 15] = [
    function("size", 1, SIZED, Kind::Integer),
    function("matches", 2, TEXT, Kind::Bool),
    function("startsWith", 2, TEXT, Kind::Bool),
    function("endsWith", 2, TEXT, Kind::Bool),
    function("contains", 2, TEXT, Kind::Bool),
    function("getFullYear", 1, &[Kind::Time], Kind::Integer),
    function("getMonth", 1, &[Kind::Time], Kind::Integer),
    function("getDate", 1, &[Kind::Time], Kind::Integer),
    function("getDayOfMonth", 1, &[Kind::Time], Kind::Integer),
    function("getDayOfWeek", 1, &[Kind::Time], Kind::Integer),
    function("getDayOfYear", 1, &[Kind::Time], Kind::Integer),
    function("getHours", 1, &[Kind::Time], Kind::Integer),
    function("getMinutes", 1, &[Kind::Time], Kind::Integer),
    function("getSeconds", 1, &[Kind::Time], Kind::Integer),
    function("getMilliseconds", 1, &[Kind::Time], Kind::Integer),
];

/// What are tests and loops over the items of a list or a map, and what they come to.
pub(super) fn looped(name: &str) -> Option<Kind> {
    Some(match name {
        "exists" | "all" | "exists_one" => Kind::Bool,
        "map" | "filter" => Kind::List,
        _ => return None,
    })
}

/// What calling a function comes to.
pub(super) fn call(name: &str, of: Option<Kind>, arguments: &[Kind]) -> Result<Kind, String> {
    let known = if of.is_some() { &METHODS[..] } else { &FUNCTIONS };
    let all: Vec<Kind> = of.into_iter().chain(arguments.iter().copied()).collect();
    let Some(function) = known.iter().find(|function| function.name == name) else {
        return Err(format!("`{name}` is no function of the server"));
    };
    if all.len() != function.arguments {
        let expected = function.arguments - usize::from(of.is_some());
        let plural = if expected == 1 { "" } else { "s" };
        return Err(format!("`{name}` takes {expected} argument{plural}"));
    }
    // The second argument is of the kind of the first.
    match all.iter().find(|kind| !kind.may_be(function.of)) {
        Some(wrong) => Err(format!("`{name}` cannot take {}", wrong.name())),
        None => Ok(function.result),
    }
}

/// What an operator between two values comes to.
pub(super) fn operation(operator: &str, left: Kind, right: Kind) -> Result<Kind, String> {
    let wrong = |kind: Kind, between: &str| {
        Err(format!("`{operator}` is {between}, and one side is {}", kind.name()))
    };
    let sides = [left, right];
    let not = |kinds: &[Kind]| sides.into_iter().find(|side| !side.may_be(kinds));
    match operator {
        "&&" | "||" => {
            not(&[Kind::Bool]).map_or(Ok(Kind::Bool), |side| wrong(side, "between conditions"))
        }
        "in" if !right.may_be(&[Kind::List, Kind::Map]) => {
            Err(format!("`in` looks into lists and maps, and not into {}", right.name()))
        }
        "+" => Ok(Kind::Any),
        "-" | "*" | "/" | "%" => not(&[NUMBERS, &[Kind::Time]].concat())
            .map_or(Ok(Kind::Any), |side| wrong(side, "between numbers")),
        _ => Ok(Kind::Bool),
    }
}

/// What a sign before a value comes to.
pub(super) fn signed(sign: &str, kind: Kind) -> Result<Kind, String> {
    let takes: &[Kind] = match sign {
        "!" => &[Kind::Bool],
        _ => &[Kind::Integer, Kind::Float],
    };
    match kind.may_be(takes) {
        true => Ok(kind),
        false => Err(format!("`{sign}` cannot stand before {}", kind.name())),
    }
}
