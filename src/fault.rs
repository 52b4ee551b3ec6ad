//! A fault in a description: what is wrong, where it is written, and what would mend it. Parts of a description are
//! checked by their own modules; only the document knows lines and columns.

/// One thing wrong with a description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where: a path from the part that was checked, such as `feedforward[2].map.kernel`; map keys stand in brackets
    /// and quotes, `units["v1"].pool`. Empty for the part itself.
    pub place: String,
    /// What was found, with both numbers where two disagree.
    pub problem: String,
    /// What to write instead.
    pub remedy: String,
}

impl Fault {
    /// A fault at `place`.
    pub fn new(place: impl Into<String>, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Fault { place: place.into(), problem: problem.into(), remedy: remedy.into() }
    }

    /// The same fault as seen from the whole that holds the checked part under `part`.
    pub fn within(mut self, part: &str) -> Self {
        if self.place.is_empty() {
            self.place = part.to_string();
        } else if self.place.starts_with('[') {
            self.place = format!("{part}{}", self.place);
        } else {
            self.place = format!("{part}.{}", self.place);
        }
        self
    }

    /// A fault unless `value` is finite and above 0.
    pub fn unless_positive(place: &str, value: f32) -> Option<Fault> {
        (!(value.is_finite() && value > 0.0))
            .then(|| Fault::new(place, format!("{value} is not a positive number"), "use a finite value above 0"))
    }
}

/// The candidate that `found` was probably meant to be: the nearest by edit distance, case aside, if it differs in at
/// most a third of its letters.
pub fn nearest<'a>(found: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = found.to_lowercase();
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let distance = strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
            let letters = found.chars().count().max(candidate.chars().count());
            (distance <= letters / 3).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The remedy for a name that is none of `candidates`: the nearest one, or all that there are.
pub fn did_you_mean<'a>(found: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> String {
    if let Some(name) = nearest(found, candidates.clone()) {
        return format!("did you mean `{name}`?");
    }
    let names: Vec<_> = candidates.into_iter().map(|name| format!("`{name}`")).collect();
    match names.as_slice() {
        [] => "remove it: there is nothing to choose from".to_string(),
        [only] => format!("the only choice is {only}"),
        [first @ .., last] => format!("choose from {} and {last}", first.join(", ")),
    }
}
