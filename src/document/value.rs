//! Reading a description from the outline of a text, with `serde`. It follows `ron`, which has the last word on what is
//! legal; but it knows at which value it stopped, and what was expected there.

use serde::Deserializer;
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};

use super::invented::Invented;
use super::outline::{Form, Node};
use super::stop::{Cause, Stop};

/// Reads what an outline of `text` holds.
pub(super) fn read<'de, S: DeserializeSeed<'de>>(text: &str, node: &Node, seed: S) -> Result<S::Value, Stop> {
    match node.form {
        Form::Illegible => seed.deserialize(Invented),
        _ => seed.deserialize(Value { text, node, inner: false }),
    }
}

/// A value of a text.
#[derive(Clone, Copy)]
struct Value<'a> {
    text: &'a str,
    node: &'a Node,
    /// Whether the name before the brackets is another value's, which holds this one: `Deform(affine: 0.5)`.
    inner: bool,
}

impl<'a> Value<'a> {
    fn source(&self) -> &'a str {
        &self.text[self.node.span.clone()]
    }

    /// A single token, as `ron` reads it.
    fn token<T: DeserializeOwned>(&self) -> Option<T> {
        (self.node.form == Form::Scalar).then(|| ron::from_str(self.source()).ok()).flatten()
    }

    fn is_string(&self) -> bool {
        self.token::<String>().is_some()
    }

    fn name(&self) -> Option<&'a str> {
        self.node.name.as_ref().filter(|_| !self.inner).map(|name| name.text.as_str())
    }

    fn whole_number<T: DeserializeOwned>(&self) -> Result<T, Stop> {
        self.token().ok_or_else(|| {
            let digits = self.source().trim_start_matches(['-', '+']);
            match digits.chars().all(|c| c.is_ascii_digit() || c == '_') && self.node.form == Form::Scalar {
                false => Stop::mistyped("a whole number", "write a whole number"),
                true if self.source().starts_with('-') => {
                    Stop::mistyped("a number that is not negative", "write it without the minus sign")
                }
                true => Stop::mistyped("a smaller number", "write a number that fits 64 bits"),
            }
        })
    }

    fn string(&self) -> Result<String, Stop> {
        self.token().ok_or_else(|| match self.node.form {
            Form::Word => Stop::mistyped("a text in quotes", format!("write \"{}\"", self.source())),
            _ => Stop::mistyped("a text in quotes", "write a text in double quotes"),
        })
    }

    fn entries(self) -> Entries<'a> {
        Entries { text: self.text, node: self.node, next: 0 }
    }

    /// A struct or struct variant, the way `what` writes it.
    fn fields<'de, V: Visitor<'de>>(self, what: &str, visitor: V) -> Result<V::Value, Stop> {
        match self.node.form {
            Form::Struct => visitor.visit_map(self.entries()),
            Form::Tuple => Err(Stop::from(Cause::Unnamed).inside(0)),
            Form::Word if self.name() == Some(what) => Err(Cause::NeedsBrackets.into()),
            _ if what.is_empty() => Err(Stop::mistyped("`(...)`", "write `(...)`")),
            _ => Err(Stop::mistyped(format!("`{what}(...)`"), format!("write `{what}(...)` or `(...)`"))),
        }
    }

    /// Values in round brackets, without names.
    fn row<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        if self.node.form != Form::Tuple && !(self.node.form == Form::Struct && self.node.entries.is_empty()) {
            return Err(Stop::mistyped("values in round brackets", "write `(..., ...)`"));
        }
        let mut entries = self.entries();
        let row = visitor.visit_seq(&mut entries)?;
        match entries.next < self.node.entries.len() {
            true => Err(Stop::from(Cause::Surplus).inside(entries.next)),
            false => Ok(row),
        }
    }
}

macro_rules! whole_numbers {
    ($($method:ident => $visit:ident,)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
            visitor.$visit(self.whole_number()?)
        })*
    };
}

impl<'de> Deserializer<'de> for Value<'_> {
    type Error = Stop;

    whole_numbers! {
        deserialize_i8 => visit_i8,
        deserialize_i16 => visit_i16,
        deserialize_i32 => visit_i32,
        deserialize_i64 => visit_i64,
        deserialize_u8 => visit_u8,
        deserialize_u16 => visit_u16,
        deserialize_u32 => visit_u32,
        deserialize_u64 => visit_u64,
    }

    serde::forward_to_deserialize_any! { bytes byte_buf identifier }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        match self.node.form {
            Form::Struct | Form::Map => visitor.visit_map(self.entries()),
            Form::Tuple | Form::List => visitor.visit_seq(self.entries()),
            Form::Scalar if self.is_string() => visitor.visit_string(self.string()?),
            Form::Scalar => self.deserialize_f64(visitor),
            Form::Word if matches!(self.source(), "true" | "false") => self.deserialize_bool(visitor),
            Form::Word | Form::Illegible => visitor.visit_unit(),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        match self.source() {
            "true" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            _ => Err(Stop::mistyped("true or false", "write `true` or `false`")),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_f32(self.token().ok_or_else(|| Stop::mistyped("a number", "write a number"))?)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_f64(self.token().ok_or_else(|| Stop::mistyped("a number", "write a number"))?)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_char(self.token().ok_or_else(|| Stop::mistyped("a character", "write one in single quotes"))?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_string(self.string()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_string(self.string()?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        match (self.name(), self.node.form, self.node.entries.as_slice()) {
            (Some("None"), Form::Word, _) => visitor.visit_none(),
            (Some("Some"), Form::Tuple, [only]) if only.value.form == Form::Illegible => visitor.visit_some(Invented),
            (Some("Some"), Form::Tuple, [only]) => {
                let value = Value { text: self.text, node: &only.value, inner: false };
                visitor.visit_some(value).map_err(|stop| stop.inside(0))
            }
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        match self.node.form == Form::Struct && self.node.entries.is_empty() {
            true => visitor.visit_unit(),
            false => Err(Stop::mistyped("`()`", "write `()`")),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Stop> {
        if self.node.form == Form::Word && self.name() == Some(name) {
            return visitor.visit_unit();
        }
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Stop> {
        self.row(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        match self.node.form {
            Form::List => visitor.visit_seq(self.entries()),
            _ => Err(Stop::mistyped("a list", "write `[...]`")),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Stop> {
        self.row(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.row(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        match self.node.form {
            Form::Map => visitor.visit_map(self.entries()),
            _ => Err(Stop::mistyped("a map", "write `{\"name\": ..., ...}`")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        match self.name() {
            Some(other) if other != name && self.node.form != Form::Word => Err(Cause::OtherName(name).into()),
            _ => self.fields(name, visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        kind: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        match self.name().filter(|_| self.node.form != Form::Scalar) {
            Some(name) if variants.contains(&name) => visitor.visit_enum(self),
            Some(_) => Err(Cause::UnknownVariant { kind, variants }.into()),
            None => Err(match self.token::<String>() {
                Some(text) => Stop::mistyped("a name", format!("write `{text}`, without quotes")),
                None => {
                    Stop::mistyped("a name", "write the name of a choice, with its fields in brackets if it has any")
                }
            }),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_unit()
    }
}

impl<'a, 'de> EnumAccess<'de> for Value<'a> {
    type Error = Stop;
    type Variant = Value<'a>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Value<'a>), Stop> {
        Ok((seed.deserialize(StrDeserializer::<Stop>::new(self.name().unwrap_or_default()))?, self))
    }
}

impl<'de> VariantAccess<'de> for Value<'_> {
    type Error = Stop;

    fn unit_variant(self) -> Result<(), Stop> {
        if self.node.form == Form::Word { Ok(()) } else { Err(Cause::NeedsNoBrackets.into()) }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Stop> {
        match (self.node.form, self.node.entries.as_slice()) {
            (Form::Word, _) => Err(Cause::NeedsBrackets.into()),
            (Form::Tuple, [only]) => read(self.text, &only.value, seed).map_err(|stop| stop.inside(0)),
            (Form::Tuple, _) => Err(Stop::from(Cause::Surplus).inside(1)),
            _ => seed.deserialize(Value { inner: true, ..self }),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Stop> {
        if self.node.form == Form::Word { Err(Cause::NeedsBrackets.into()) } else { self.row(visitor) }
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Stop> {
        self.fields(self.name().unwrap_or_default(), visitor)
    }
}

/// What stands within brackets, one after the other.
struct Entries<'a> {
    text: &'a str,
    node: &'a Node,
    next: usize,
}

impl<'de> SeqAccess<'de> for Entries<'_> {
    type Error = Stop;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Stop> {
        if self.next == self.node.entries.len() {
            return Ok(None);
        }
        self.next_value_seed(seed).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.node.entries.len() - self.next)
    }
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Stop;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Stop> {
        let Some(key) = self.node.entries.get(self.next).and_then(|entry| entry.key.as_ref()) else { return Ok(None) };
        if self.node.form == Form::Map && !key.quoted {
            return Err(Stop::from(Cause::BareKey).inside(self.next));
        }
        let name = seed.deserialize(StrDeserializer::<Stop>::new(&key.text));
        name.map(Some).map_err(|stop| stop.inside(self.next))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Stop> {
        let index = self.next;
        self.next += 1;
        read(self.text, &self.node.entries[index].value, seed).map_err(|stop| stop.inside(index))
    }
}
