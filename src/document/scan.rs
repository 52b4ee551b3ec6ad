//! A scan of brackets, names, commas and comments that keeps every byte's place, which a deserialiser throws away. Single
//! tokens (numbers, strings, characters) are cut here and judged by `ron` itself, so that the two cannot disagree on
//! them.

use super::Located;
use super::outline::{Entry, Form, Name, Node};

/// Brackets within brackets that a text may have; as deep as `ron` itself will go.
const DEPTH: usize = 128;

/// Reads the outline of a whole text, or says what is not RON about it.
pub(super) fn scan(text: &str) -> Result<Node, Located> {
    let mut scanner = Scanner { text, at: 0, depth: 0 };
    scanner.attributes()?;
    if scanner.rest().is_empty() {
        return Err(Located::new(text.len()..text.len(), "there is no value here", "write one RON value"));
    }
    let root = scanner.value()?;
    scanner.space()?;
    match scanner.peek() {
        None => Ok(root),
        Some(found) => Err(scanner.here(format!("`{found}` after the end of the value"), "remove what follows it")),
    }
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Scanner<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn eat_while(&mut self, belongs: impl Fn(char) -> bool) {
        self.at += self.rest().find(|c| !belongs(c)).unwrap_or(self.rest().len());
    }

    /// A mistake at the next character.
    fn here(&self, problem: impl Into<String>, remedy: impl Into<String>) -> Located {
        let width = self.peek().map_or(0, char::len_utf8);
        Located::new(self.at..self.at + width, problem, remedy)
    }

    /// Skips white space and comments.
    fn space(&mut self) -> Result<(), Located> {
        loop {
            self.eat_while(is_space);
            let start = self.at;
            if self.eat("//") {
                self.eat_while(|c| c != '\n');
            } else if self.eat("/*") {
                let mut open = 1;
                while open > 0 {
                    self.eat_while(|c| c != '/' && c != '*');
                    if self.eat("/*") {
                        open += 1;
                    } else if self.eat("*/") {
                        open -= 1;
                    } else if !self.eat("/") && !self.eat("*") {
                        return Err(Located::new(start..start + 2, "this comment is never closed", "close it with */"));
                    }
                }
            } else {
                return Ok(());
            }
        }
    }

    /// Skips `#![enable(...)]` and its like at the head of a text.
    fn attributes(&mut self) -> Result<(), Located> {
        self.space()?;
        while self.peek() == Some('#') {
            let start = self.at;
            while !self.eat("]") {
                match self.peek() {
                    None => return Err(Located::new(start..start + 1, "this attribute is never closed", "add `]`")),
                    Some('"') => self.string()?,
                    Some(other) => self.at += other.len_utf8(),
                }
                self.space()?;
            }
            let attribute = &self.text[start..self.at];
            if let Err(error) = ron::from_str::<()>(&format!("{attribute}()")) {
                let problem = format!("this attribute is not RON: {}", super::lower(&error.code.to_string()));
                return Err(Located::new(start..self.at, problem, "write `#![enable(implicit_some)]` or remove it"));
            }
            self.space()?;
        }
        Ok(())
    }

    fn value(&mut self) -> Result<Node, Located> {
        let start = self.at;
        let rest = self.rest();
        match self.peek() {
            Some('(' | '[' | '{') => self.brackets(start, None),
            Some('"') => self.scalar(Self::string),
            Some('r' | 'b') if string_follows(rest) => self.scalar(Self::string),
            Some('\'') => self.scalar(Self::character),
            Some('b') if rest.starts_with("b'") => self.scalar(Self::number),
            Some('0'..='9' | '+' | '-' | '.') => self.scalar(Self::number),
            Some(first) if starts_name(first) => {
                self.name()?;
                let span = start..self.at;
                let word = &self.text[span.clone()];
                if self.peek() == Some('.') {
                    // `inf..3`: a range that begins with a word.
                    self.at = start;
                    return self.scalar(Self::number);
                }
                let literal = matches!(word, "true" | "false" | "None") || is_not_finite(word);
                let name = Some(Name { span: span.clone(), text: plain(word), quoted: false });
                self.space()?;
                if self.peek() == Some('(') && !literal {
                    return self.brackets(start, name);
                }
                self.at = span.end;
                let form = if is_not_finite(word) { Form::Scalar } else { Form::Word };
                Ok(Node { span, name, form, entries: Vec::new() })
            }
            Some(found) => Err(self.here(format!("`{found}` begins no value"), "write a value here")),
            None => Err(self.here("the text ends where a value is due", "write a value here")),
        }
    }

    /// Cuts a token and has `ron` judge it.
    fn scalar(&mut self, cut: fn(&mut Self) -> Result<(), Located>) -> Result<Node, Located> {
        let start = self.at;
        cut(self)?;
        let span = start..self.at;
        match ron::from_str::<ron::Value>(&self.text[span.clone()]) {
            Ok(_) => Ok(Node { span, name: None, form: Form::Scalar, entries: Vec::new() }),
            Err(error) => {
                let token = super::shorten(&self.text[span.clone()]);
                let problem = format!("`{token}` is not RON: {}", super::lower(&error.code.to_string()));
                Err(Located::new(span, problem, "write a number, or put a text in quotes"))
            }
        }
    }

    /// `"..."`, `r#"..."#`, `b"..."`, `br"..."`.
    fn string(&mut self) -> Result<(), Located> {
        let start = self.at;
        self.eat("b");
        let closed = if self.eat("r") {
            let from = self.at;
            self.eat_while(|c| c == '#');
            let end = format!("\"{}", &self.text[from..self.at]);
            self.eat("\"");
            self.rest().find(&end).map(|found| found + end.len())
        } else {
            self.eat("\"");
            let mut escaped = false;
            let end = self.rest().find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            end.map(|found| found + 1)
        };
        let unclosed = || Located::new(start..start + 1, "this text is never closed", "close it with a quote");
        self.at += closed.ok_or_else(unclosed)?;
        Ok(())
    }

    /// `'x'`, `'\''`, `b'x'`.
    fn character(&mut self) -> Result<(), Located> {
        let start = self.at;
        self.eat("b");
        self.eat("'");
        let escaped = self.eat("\\");
        self.at += self.peek().map_or(0, char::len_utf8);
        if escaped {
            self.eat_while(|c| c.is_ascii_alphanumeric() || c == '{' || c == '}');
        }
        if self.eat("'") {
            return Ok(());
        }
        Err(Located::new(start..start + 1, "this is not one character in quotes", "put a text in double quotes"))
    }

    /// A number, or a range of numbers; bytes such as `b'x'` are numbers, too.
    fn number(&mut self) -> Result<(), Located> {
        loop {
            self.eat_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '-' | '.'));
            let token = &self.text[..self.at];
            if token.ends_with('b') && self.peek() == Some('\'') {
                self.at -= 1;
                self.character()?;
            } else if !(token.ends_with("..") && self.eat("=")) {
                return Ok(());
            }
        }
    }

    fn name(&mut self) -> Result<(), Located> {
        let start = self.at;
        if self.eat("r#") {
            self.eat_while(|c| continues_name(c) || matches!(c, '.' | '+' | '-'));
        } else {
            self.eat_while(continues_name);
        }
        let name = &self.text[start..self.at];
        // What letters of other scripts may stand in a name is Unicode's business, and `ron` has its tables.
        if (name.is_ascii() && name != "r#") || ron::from_str::<ron::Value>(name).is_ok() {
            return Ok(());
        }
        Err(Located::new(start..self.at, format!("`{name}` is not a name"), "use letters, digits and underscores"))
    }

    /// Everything from an opening bracket to its closing one; `start` is where the name before it began.
    fn brackets(&mut self, start: usize, name: Option<Name>) -> Result<Node, Located> {
        let open = self.at;
        let (close, mut form) = match self.peek() {
            Some('[') => ("]", Form::List),
            Some('{') => ("}", Form::Map),
            _ => (")", Form::Struct),
        };
        self.depth += 1;
        if self.depth > DEPTH {
            let remedy = format!("use at most {DEPTH} brackets within brackets");
            return Err(self.here("the brackets are nested too deeply", remedy));
        }
        self.at += 1;
        let mut entries = Vec::new();
        let mut comma = true;
        loop {
            self.space()?;
            if self.eat(close) {
                break;
            }
            match self.peek() {
                None => {
                    let problem = format!("this `{}` is never closed", &self.text[open..open + 1]);
                    return Err(Located::new(open..open + 1, problem, format!("add the `{close}` that closes it")));
                }
                Some(found) if !comma => {
                    let problem = format!("expected `,` or `{close}`, found `{found}`");
                    return Err(self.here(problem, "put a comma between two entries"));
                }
                Some(_) => (),
            }
            if entries.is_empty() && form == Form::Struct && !self.field_follows() {
                form = Form::Tuple;
            }
            let key = match form {
                Form::Struct => Some(self.field()?),
                Form::Map => Some(self.key()?),
                _ => None,
            };
            let value = self.value()?;
            self.space()?;
            comma = self.eat(",");
            entries.push(Entry { key, value });
        }
        self.depth -= 1;
        Ok(Node { span: start..self.at, name, form, entries })
    }

    /// Whether a name and a colon come next.
    fn field_follows(&self) -> bool {
        let mut ahead = Scanner { text: self.text, at: self.at, depth: 0 };
        let first = ahead.peek().is_some_and(starts_name) && !string_follows(ahead.rest());
        first && ahead.name().is_ok() && ahead.space().is_ok() && ahead.peek() == Some(':')
    }

    fn field(&mut self) -> Result<Name, Located> {
        let start = self.at;
        if !self.peek().is_some_and(starts_name) || string_follows(self.rest()) {
            return Err(self.here("expected the name of a field", "write `field: value`"));
        }
        self.name()?;
        let span = start..self.at;
        let text = plain(&self.text[span.clone()]);
        self.colon()?;
        Ok(Name { span, text, quoted: false })
    }

    fn key(&mut self) -> Result<Name, Located> {
        let span = self.value()?.span;
        let source = &self.text[span.clone()];
        let string = ron::from_str::<String>(source);
        self.colon()?;
        let quoted = string.is_ok();
        Ok(Name { span, text: string.unwrap_or_else(|_| source.to_string()), quoted })
    }

    fn colon(&mut self) -> Result<(), Located> {
        self.space()?;
        if !self.eat(":") {
            return Err(self.here("expected `:` between a name and its value", "write `name: value`"));
        }
        self.space()
    }
}

/// A name without the mark of raw ones.
fn plain(name: &str) -> String {
    name.trim_start_matches("r#").to_string()
}

/// White space as RON has it.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t'..='\r' | '\u{85}' | '\u{200E}' | '\u{200F}' | '\u{2028}' | '\u{2029}')
}

fn starts_name(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic() || (!c.is_ascii() && !is_space(c))
}

fn continues_name(c: char) -> bool {
    starts_name(c) || c.is_ascii_digit()
}

/// Whether a raw string or a byte string begins here, rather than a name.
fn string_follows(rest: &str) -> bool {
    ["r\"", "r#\"", "r##", "b\"", "br\"", "br#"].iter().any(|opening| rest.starts_with(opening))
}

fn is_not_finite(word: &str) -> bool {
    matches!(word, "inf" | "inff32" | "inff64" | "NaN" | "NaNf32" | "NaNf64")
}
