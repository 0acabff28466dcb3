//! Expressions: a part of CEL, with the real server's treatment of missing values.
//!
//! Literals, lists, `event` and `async` with their fields, `! - * / % + < <= > >= == != in && || ?:`, `has()`, `size()`,
//! `string()`, `int()`, `double()`, `uppercase()`, `lowercase()`, `b64decode()` and the string methods. Everything else is refused when the expression is read, with
//! its name: an expression that is not understood must not silently match, or never match.

mod breaks;
mod eval;
mod kinds;
mod lexer;
mod parser;

use std::fmt;

use serde_json::Value;

use self::lexer::InvalidExpression;
use self::parser::Node;

/// A parsed expression.
#[derive(Clone, PartialEq, serde::Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Expression {
    text: String,
    root: Node,
}

impl Expression {
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidExpression> {
        let root = parser::parse(text)?;
        kinds::kind(&root)?;
        Ok(Self { text: text.to_owned(), root })
    }

    /// Whether it holds. `asynchronous` is the event that is compared with the first one. As on the real server, only `true`
    /// is a match: not a text, not a number.
    pub(crate) fn matches(&self, event: &Value, asynchronous: Option<&Value>) -> bool {
        let rewritten = asynchronous.is_some() && self.root.any(&|node| *node == Node::Event);
        let scope = eval::Scope { event, asynchronous, rewritten };
        eval::eval(&self.root, &scope).as_deref() == Some(&Value::Bool(true))
    }

    /// Whether the real server would leave a run for ever that began to wait on this condition.
    pub(crate) fn breaks(&self, event: &Value) -> bool {
        let scope = eval::Scope { event, asynchronous: None, rewritten: false };
        breaks::breaks(&self.root, &scope)
    }

    /// Whether it does more than compare, which the real server takes in no condition of a cancellation.
    fn calculates(&self) -> bool {
        self.root.any(&|node| match node {
            Node::Binary(operator, ..) => matches!(*operator, "+" | "-" | "*" | "/" | "%"),
            Node::Negative(of) => !matches!(**of, Node::Literal(_) | Node::Negative(_)),
            Node::Call(name, _) => !matches!(*name, "int" | "double"),
            _ => false,
        })
    }

    /// Its value as the key of a group of runs; a missing value is a key too.
    pub(crate) fn key(&self, event: &Value) -> String {
        let scope = eval::Scope { event, asynchronous: None, rewritten: false };
        eval::eval(&self.root, &scope).as_deref().map(eval::text).unwrap_or_default()
    }
}

/// The condition of a cancellation, in which the real server takes comparisons and no calculations.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[serde(try_from = "Expression")]
pub(crate) struct Comparison(pub(crate) Expression);

impl TryFrom<Expression> for Comparison {
    type Error = &'static str;

    fn try_from(expression: Expression) -> Result<Self, Self::Error> {
        match expression.calculates() {
            true => Err("the condition of a cancellation can only compare"),
            false => Ok(Self(expression)),
        }
    }
}

impl TryFrom<String> for Expression {
    type Error = InvalidExpression;

    fn try_from(text: String) -> Result<Self, InvalidExpression> {
        Self::parse(&text)
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

#[cfg(test)]
mod tests;
