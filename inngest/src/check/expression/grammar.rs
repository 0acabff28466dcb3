//! The grammar of expressions.

use super::lexer::Token;
use super::types::{Kind, call, looped, named, operation, signed};

/// As deep as the server nests, about.
const MAX_DEPTH: usize = 250;
/// Operators of two sides, from the loosest to the tightest.
const LEVELS: [&[&str]; 5] =
    [&["||"], &["&&"], &["==", "!=", "<=", ">=", "<", ">", "in"], &["+", "-"], &["*", "/", "%"]];
/// Words that name nothing.
const RESERVED: [&str; 15] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
];

/// What an expression uses.
#[derive(Debug, Default)]
pub(super) struct Uses {
    pub(super) event: bool,
    /// The first thing in it that is no comparison.
    pub(super) calculation: Option<String>,
}

pub(super) struct Parser<'a, I: Iterator<Item = Token<'a>>> {
    tokens: std::iter::Peekable<I>,
    depth: usize,
    uses: Uses,
    /// The names of the loops around.
    bound: Vec<&'a str>,
}

type Parsed = Result<Kind, String>;

impl<'a, I: Iterator<Item = Token<'a>>> Parser<'a, I> {
    pub(super) fn new(tokens: I) -> Self {
        Self { tokens: tokens.peekable(), depth: 0, uses: Uses::default(), bound: Vec::new() }
    }

    /// One expression and nothing after it.
    pub(super) fn all(mut self) -> Result<Uses, String> {
        self.conditional()?;
        match self.tokens.next() {
            None => Ok(self.uses),
            token => Err(unexpected(token)),
        }
    }

    fn take(&mut self, symbol: &str) -> bool {
        let is = |token: &Token<'_>| match token {
            Token::Symbol(found) => *found == symbol,
            Token::Name(found) => *found == symbol && symbol == "in",
            _ => false,
        };
        self.tokens.next_if(is).is_some()
    }

    fn close(&mut self, open: &str, close: &str) -> Result<(), String> {
        if self.take(close) {
            return Ok(());
        }
        self.goes_on(open)?;
        Err(unexpected(self.tokens.next()))
    }

    fn goes_on(&mut self, open: &str) -> Result<(), String> {
        match self.tokens.peek() {
            None => Err(format!("`{open}` is never closed")),
            Some(_) => Ok(()),
        }
    }

    fn calculates(&mut self, what: &str) {
        self.uses.calculation.get_or_insert_with(|| format!("`{what}`"));
    }

    fn deeper(&mut self, by: usize) -> Result<(), String> {
        self.depth += by;
        if self.depth > MAX_DEPTH { Err("it nests too deeply".to_owned()) } else { Ok(()) }
    }

    fn conditional(&mut self) -> Parsed {
        self.deeper(1)?;
        let mut kind = self.binary(0)?;
        if self.take("?") {
            signed("!", kind)
                .map_err(|_| format!("`?` asks for a condition, and not for {}", kind.name()))?;
            let yes = self.binary(0)?;
            self.close("?", ":")?;
            let no = self.conditional()?;
            kind = match (yes, no) {
                (yes, no) if yes == no => yes,
                (Kind::Any, _) | (_, Kind::Any) => Kind::Any,
                (yes, no) => {
                    return Err(format!("`?` comes to {} or to {}", yes.name(), no.name()));
                }
            };
        }
        self.depth -= 1;
        Ok(kind)
    }

    fn binary(&mut self, level: usize) -> Parsed {
        let Some(symbols) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        let mut links = 0;
        while let Some(symbol) = symbols.iter().find(|symbol| self.take(symbol)) {
            // The server balances conditions, and nests the rest to the left.
            if level > 1 {
                links += 1;
                self.deeper(1)?;
            }
            if level > 2 {
                self.calculates(symbol);
            }
            let right = self.binary(level + 1)?;
            left = operation(symbol, left, right)?;
        }
        self.depth -= links;
        Ok(left)
    }

    fn unary(&mut self) -> Parsed {
        let mut signs = Vec::new();
        while let Some(sign) = ["!", "-"].into_iter().find(|sign| self.take(sign)) {
            if signs.last().is_some_and(|last| *last != sign) {
                // `!-1` and `-!true` mean nothing; the server's grammar has no place for them.
                return Err(unexpected(Some(Token::Symbol(sign))));
            }
            signs.push(sign);
        }
        if signs.last() == Some(&"-") && self.tokens.next_if_eq(&Token::Smallest).is_some() {
            return Ok(Kind::Integer);
        }
        let literal = matches!(self.tokens.peek(), Some(Token::Integer | Token::Float));
        let kind = self.postfix()?;
        match signs.first() {
            None => Ok(kind),
            Some(sign) => {
                if *sign == "-" && !literal {
                    self.calculates(sign);
                }
                signed(sign, kind)
            }
        }
    }

    fn postfix(&mut self) -> Parsed {
        let mut kind = self.primary()?;
        let mut links = 0;
        loop {
            links += 1;
            self.deeper(1)?;
            if self.take(".") {
                let Some(Token::Name(name)) = self.tokens.next_if(|token| is_field(token)) else {
                    return Err(unexpected(self.tokens.next()));
                };
                kind = if self.take("(") {
                    self.calculates(name);
                    self.method(name, kind)?
                } else if kind.may_be(&[Kind::Map, Kind::Time]) {
                    Kind::Any
                } else {
                    return Err(format!("{} has no field `{name}`", kind.name()));
                };
            } else if self.take("[") {
                self.goes_on("[")?;
                let index = self.conditional()?;
                self.close("[", "]")?;
                let numbers = [Kind::Integer, Kind::Unsigned, Kind::Float];
                let fits = match kind {
                    Kind::List => index.may_be(&numbers),
                    Kind::Any | Kind::Map => true,
                    _ => false,
                };
                if !fits {
                    return Err(format!("{} has no part `[..]` by {}", kind.name(), index.name()));
                }
                kind = Kind::Any;
            } else {
                self.depth -= links;
                return Ok(kind);
            }
        }
    }

    fn primary(&mut self) -> Parsed {
        match self.tokens.next() {
            Some(Token::Text) => Ok(Kind::Text),
            Some(Token::Bytes) => Ok(Kind::Bytes),
            Some(Token::Integer) => Ok(Kind::Integer),
            Some(Token::Unsigned) => Ok(Kind::Unsigned),
            Some(Token::Float) => Ok(Kind::Float),
            Some(Token::Symbol("(")) => {
                self.goes_on("(")?;
                let kind = self.conditional()?;
                self.close("(", ")")?;
                Ok(kind)
            }
            Some(Token::Symbol("[")) => self.items("[", "]").map(|_| Kind::List),
            Some(Token::Symbol("{")) => self.entries().map(|()| Kind::Map),
            // The name of something in no package.
            Some(Token::Symbol(".")) => match self.tokens.next() {
                Some(Token::Name(name)) => self.name(name),
                token => Err(unexpected(token)),
            },
            Some(Token::Name(name)) => self.name(name),
            token => Err(unexpected(token)),
        }
    }

    fn name(&mut self, name: &'a str) -> Parsed {
        if name == "in" || RESERVED.contains(&name) {
            return Err(unexpected(Some(Token::Name(name))));
        }
        if self.take("(") {
            // What converts numbers is worked out before.
            if !matches!(name, "int" | "uint" | "double") {
                self.calculates(name);
            }
            return self.function(name);
        }
        if self.bound.contains(&name) {
            return Ok(Kind::Any);
        }
        if name == "google" {
            return self.message();
        }
        self.uses.event |= name == "event";
        named(name)
            .ok_or_else(|| format!("`{name}` is unknown; it can look at `event` and `async`"))
    }

    /// A value with the name of a type in front, which has points.
    fn message(&mut self) -> Parsed {
        while self.take(".") {
            match self.tokens.next() {
                Some(Token::Name(_)) => {}
                token => return Err(unexpected(token)),
            }
        }
        if !self.take("{") {
            return Err("`google` is unknown; it can look at `event` and `async`".to_owned());
        }
        while !self.take("}") {
            match self.tokens.next() {
                Some(Token::Name(_)) => self.close("{", ":")?,
                token => return Err(unexpected(token)),
            }
            self.conditional()?;
            if !self.take(",") {
                self.close("{", "}")?;
                break;
            }
        }
        Ok(Kind::Any)
    }

    fn function(&mut self, name: &str) -> Parsed {
        if name == "has" {
            // The last token before the bracket must be a field.
            let of = self.fields()?;
            self.close("(", ")")?;
            return if of { Ok(Kind::Bool) } else { Err("`has` takes a field".to_owned()) };
        }
        let arguments = self.items("(", ")")?;
        call(name, None, &arguments)
    }

    /// Whether what follows ends with a field, such as `event.data`.
    fn fields(&mut self) -> Result<bool, String> {
        self.primary()?;
        let mut is_field_last = false;
        loop {
            if self.take(".") {
                let Some(Token::Name(_)) = self.tokens.next_if(|token| is_field(token)) else {
                    return Err(unexpected(self.tokens.next()));
                };
                is_field_last = true;
            } else if self.take("[") {
                self.conditional()?;
                self.close("[", "]")?;
                is_field_last = false;
            } else {
                return Ok(is_field_last);
            }
        }
    }

    fn method(&mut self, name: &str, of: Kind) -> Parsed {
        let Some(result) = looped(name) else {
            let arguments = self.items("(", ")")?;
            return call(name, Some(of), &arguments);
        };
        let Some(Token::Name(item)) = self.tokens.next() else {
            return Err(format!(
                "`{name}` begins with a name for each item, as in `{name}(x, x > 1)`"
            ));
        };
        self.bound.push(item);
        let mut parts = 0;
        while self.take(",") {
            parts += 1;
            self.conditional()?;
        }
        self.bound.pop();
        self.close("(", ")")?;
        let fits = parts == 1 || (parts == 2 && name == "map");
        if fits { Ok(result) } else { Err(format!("`{name}` takes a name and a condition")) }
    }

    /// Expressions up to the closing bracket; the last may be followed by a comma in a list.
    fn items(&mut self, open: &str, close: &str) -> Result<Vec<Kind>, String> {
        let mut kinds = Vec::new();
        if open == "[" && self.take(",") {
            self.close(open, close)?;
            return Ok(kinds);
        }
        while !self.take(close) {
            kinds.push(self.conditional()?);
            if !self.take(",") {
                self.close(open, close)?;
                break;
            }
        }
        Ok(kinds)
    }

    fn entries(&mut self) -> Result<(), String> {
        while !self.take("}") {
            self.conditional()?;
            self.close("{", ":")?;
            self.conditional()?;
            if !self.take(",") {
                return self.close("{", "}");
            }
        }
        Ok(())
    }
}

fn is_field(token: &Token<'_>) -> bool {
    matches!(token, Token::Name(name) if !matches!(*name, "in" | "true" | "false" | "null"))
}

fn unexpected(token: Option<Token<'_>>) -> String {
    match token {
        None => "it ends where a value is missing".to_owned(),
        Some(Token::Name(name) | Token::Symbol(name)) => format!("`{name}` is not expected"),
        Some(Token::Placeholder(name)) => {
            format!("`${name}` has no value, which only an `Expression` gives it")
        }
        Some(Token::Text | Token::Bytes) => "a text in it is not expected".to_owned(),
        Some(Token::Integer | Token::Unsigned | Token::Float) => {
            "a number in it is not expected".to_owned()
        }
        Some(Token::Smallest) => format!("the integer {} has more than 64 bits", 1_u64 << 63),
    }
}
