//! Doubts: the places of a description whose values are not what was written, because that could not be read. What
//! they would mean is anyone's guess, so nothing is said about it.

/// Places whose values were made up, or may have been meant by a field of another name; written as in
/// [`Fault::place`](crate::fault::Fault::place).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Doubts(Vec<String>);

impl Doubts {
    /// One more doubtful place; the empty one is the whole.
    pub fn add(&mut self, place: impl Into<String>) {
        self.0.push(place.into());
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the value at `place` is doubtful as a whole.
    pub fn cover(&self, place: &str) -> bool {
        self.0.iter().any(|doubt| inside(place, doubt).is_some())
    }

    /// Whether the value at `place` or any part of it is doubtful.
    pub fn touch(&self, place: &str) -> bool {
        self.cover(place) || self.0.iter().any(|doubt| inside(doubt, place).is_some())
    }

    /// The doubts about a part, as seen from it.
    pub fn within(&self, part: &str) -> Doubts {
        let whole = self.cover(part).then(String::new);
        let parts = self.0.iter().filter_map(|doubt| inside(doubt, part)).map(|rest| rest.trim_start_matches('.'));
        Doubts(whole.into_iter().chain(parts.map(str::to_string)).collect())
    }
}

/// The way from `outer` to `place`, if that lies there.
fn inside<'a>(place: &'a str, outer: &str) -> Option<&'a str> {
    place.strip_prefix(outer).filter(|rest| outer.is_empty() || rest.is_empty() || rest.starts_with(['.', '[']))
}
