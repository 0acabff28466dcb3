//! The grammar of expressions.

use serde_json::Value;

use super::lexer::{self, InvalidExpression, Token};

/// Deeper nesting than this has no use, and could exhaust the stack.
const MAX_DEPTH: usize = 100;
/// Operators of two sides, from the loosest to the tightest.
const LEVELS: [&[&str]; 5] =
    [&["||"], &["&&"], &["==", "!=", "<=", ">=", "<", ">", "in"], &["+", "-"], &["*", "/", "%"]];

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Literal(Value),
    List(Vec<Node>),
    /// `event`: the event that started the run, or the one that might.
    Event,
    /// `async`: the event that a wait or a cancellation looks at.
    Async,
    Member(Box<Node>, String),
    Index(Box<Node>, Box<Node>),
    Not(Box<Node>),
    Negative(Box<Node>),
    Binary(&'static str, Box<Node>, Box<Node>),
    Conditional(Box<Node>, Box<Node>, Box<Node>),
    /// A function, or a method with its receiver as the first argument.
    Call(&'static str, Vec<Node>),
}

impl Node {
    /// Whether this holds for the node or one within it.
    pub(super) fn any(&self, is: &impl Fn(&Self) -> bool) -> bool {
        let within = |nodes: &[Self]| nodes.iter().any(|node| node.any(is));
        is(self)
            || match self {
                Self::Literal(_) | Self::Event | Self::Async => false,
                Self::List(nodes) | Self::Call(_, nodes) => within(nodes),
                Self::Member(of, _) => of.any(is),
                Self::Not(inner) | Self::Negative(inner) => inner.any(is),
                Self::Index(left, right) | Self::Binary(_, left, right) => {
                    left.any(is) || right.any(is)
                }
                Self::Conditional(condition, yes, no) => {
                    condition.any(is) || yes.any(is) || no.any(is)
                }
            }
    }
}

/// What can be called, with the number of arguments; those of methods count the receiver.
const FUNCTIONS: [(&str, usize); 8] = [
    ("size", 1),
    ("has", 1),
    ("string", 1),
    ("int", 1),
    ("double", 1),
    ("uppercase", 1),
    ("lowercase", 1),
    ("b64decode", 1),
];
const METHODS: [(&str, usize); 4] =
    [(".size", 1), ("startsWith", 2), ("endsWith", 2), ("contains", 2)];

pub(super) fn parse(text: &str) -> Result<Node, InvalidExpression> {
    let mut parser = Parser { tokens: lexer::tokens(text)?.into_iter().peekable(), depth: 0 };
    let node = parser.conditional()?;
    match parser.tokens.next() {
        None => Ok(node),
        Some(token) => Err(unexpected(Some(token))),
    }
}

fn unexpected(token: Option<Token>) -> InvalidExpression {
    InvalidExpression::Syntax(match token {
        None => "the expression ends too early".to_owned(),
        Some(Token::Literal(value)) => format!("unexpected {value}"),
        Some(Token::Name(name)) => format!("unexpected `{name}`"),
        Some(Token::Symbol(symbol)) => format!("unexpected `{symbol}`"),
    })
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    depth: usize,
}

impl Parser {
    fn take(&mut self, symbol: &str) -> bool {
        self.tokens
            .next_if(|token| matches!(token, Token::Symbol(found) if *found == symbol))
            .is_some()
    }

    fn expect(&mut self, symbol: &str) -> Result<(), InvalidExpression> {
        if self.take(symbol) { Ok(()) } else { Err(unexpected(self.tokens.next())) }
    }

    fn deeper(&mut self) -> Result<(), InvalidExpression> {
        self.depth += 1;
        match self.depth > MAX_DEPTH {
            true => Err(InvalidExpression::Unsupported("nesting this deep".to_owned())),
            false => Ok(()),
        }
    }

    fn conditional(&mut self) -> Result<Node, InvalidExpression> {
        self.deeper()?;
        let mut node = self.binary(0)?;
        if self.take("?") {
            let yes = self.binary(0)?;
            self.expect(":")?;
            let no = self.conditional()?;
            node = Node::Conditional(node.into(), yes.into(), no.into());
        }
        self.depth -= 1;
        Ok(node)
    }

    fn binary(&mut self, level: usize) -> Result<Node, InvalidExpression> {
        let Some(symbols) = LEVELS.get(level) else { return self.unary() };
        let outside = self.depth;
        let mut left = self.binary(level + 1)?;
        while let Some(symbol) = symbols.iter().find(|symbol| self.take(symbol)) {
            // What follows nests to the left.
            self.deeper()?;
            let right = self.binary(level + 1)?;
            left = Node::Binary(symbol, left.into(), right.into());
        }
        self.depth = outside;
        Ok(left)
    }

    fn unary(&mut self) -> Result<Node, InvalidExpression> {
        let mut signs = Vec::new();
        loop {
            let sign = match () {
                () if self.take("!") => '!',
                () if self.take("-") => '-',
                () => break,
            };
            if signs.last().is_some_and(|last| *last != sign) {
                return Err(InvalidExpression::Syntax(format!("unexpected `{sign}`")));
            }
            signs.push(sign);
            if signs.len() > MAX_DEPTH {
                return Err(InvalidExpression::Unsupported("nesting this deep".to_owned()));
            }
        }
        let node = self.postfix()?;
        Ok(signs.into_iter().rev().fold(node, |node, sign| match sign {
            '!' => Node::Not(node.into()),
            _ => Node::Negative(node.into()),
        }))
    }

    fn postfix(&mut self) -> Result<Node, InvalidExpression> {
        let outside = self.depth;
        let mut node = self.primary()?;
        loop {
            self.deeper()?;
            if self.take(".") {
                let name = match self.tokens.next() {
                    Some(Token::Name(name)) => name,
                    token => return Err(unexpected(token)),
                };
                node = if self.take("(") {
                    let arguments = self.arguments(")")?;
                    // As a function it takes what is missing, as a method it does not.
                    let name = if name == "size" { ".size" } else { &name };
                    call(&METHODS, name, std::iter::once(node).chain(arguments).collect())?
                } else {
                    Node::Member(node.into(), name)
                };
            } else if self.take("[") {
                let index = self.conditional()?;
                self.expect("]")?;
                node = Node::Index(node.into(), index.into());
            } else {
                self.depth = outside;
                return Ok(node);
            }
        }
    }

    fn primary(&mut self) -> Result<Node, InvalidExpression> {
        match self.tokens.next() {
            Some(Token::Literal(value)) => Ok(Node::Literal(value)),
            Some(Token::Symbol("(")) => {
                let node = self.conditional()?;
                self.expect(")")?;
                Ok(node)
            }
            Some(Token::Symbol("[")) => self.arguments("]").map(Node::List),
            Some(Token::Name(name)) if self.take("(") => {
                let arguments = self.arguments(")")?;
                let node = call(&FUNCTIONS, &name, arguments)?;
                match &node {
                    Node::Call("has", arguments)
                        if !matches!(arguments.as_slice(), [Node::Member(..)]) =>
                    {
                        Err(InvalidExpression::Syntax("has() takes a field".to_owned()))
                    }
                    _ => Ok(node),
                }
            }
            Some(Token::Name(name)) => match name.as_str() {
                "event" => Ok(Node::Event),
                "async" => Ok(Node::Async),
                _ => Err(InvalidExpression::Syntax(format!("undeclared reference to `{name}`"))),
            },
            token => Err(unexpected(token)),
        }
    }

    /// Expressions up to the closing bracket.
    fn arguments(&mut self, close: &str) -> Result<Vec<Node>, InvalidExpression> {
        let mut arguments = Vec::new();
        // A list may end with a comma, also an empty one.
        let is_list = close == "]";
        if is_list && self.take(",") {
            return self.expect(close).map(|()| arguments);
        }
        while !self.take(close) {
            if !arguments.is_empty() {
                self.expect(",")?;
                if is_list && self.take(close) {
                    break;
                }
            }
            arguments.push(self.conditional()?);
        }
        Ok(arguments)
    }
}

fn call(
    known: &[(&'static str, usize)],
    name: &str,
    arguments: Vec<Node>,
) -> Result<Node, InvalidExpression> {
    match known.iter().find(|(known, _)| *known == name) {
        None => Err(InvalidExpression::Unsupported(format!("{name}()"))),
        Some((name, count)) if *count == arguments.len() => Ok(Node::Call(name, arguments)),
        Some(_) => Err(InvalidExpression::Syntax(format!("{name}() takes other arguments"))),
    }
}
