//! The names of tensors: which layer a tensor belongs to, what it is there, and the natural order of layers.

/// What a tensor is in its layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The weights of a linear layer as PyTorch names them, or the scales of batch normalisation.
    Weight,
    /// Weights of a linear layer by another name, whose order of axes the name does not show.
    OtherWeight,
    /// The weights `[in, out]` of a linear layer, as Keras and Flax name them.
    Kernel,
    /// The scales of batch normalisation, as Keras names them.
    Scale,
    Bias,
    Mean,
    Variance,
    /// How often batch normalisation was trained, which nothing needs.
    Counter,
}

/// The names that end the name of a tensor.
const ROLES: [(&str, Role); 14] = [
    ("weight", Role::Weight),
    ("weights", Role::OtherWeight),
    ("w", Role::OtherWeight),
    ("kernel", Role::Kernel),
    ("gamma", Role::Scale),
    ("bias", Role::Bias),
    ("biases", Role::Bias),
    ("b", Role::Bias),
    ("beta", Role::Bias),
    ("running_mean", Role::Mean),
    ("moving_mean", Role::Mean),
    ("running_var", Role::Variance),
    ("moving_variance", Role::Variance),
    ("num_batches_tracked", Role::Counter),
];

/// Divides the name of a tensor into the name of its layer and its role there: `fc1.weight`, `dense_1/kernel:0`,
/// `fc1_weight` and `W1`. Returns `None` if it ends with no name of a role.
pub(super) fn parse(name: &str) -> Option<(String, Role)> {
    let role = |text: &str| {
        let text = text.to_ascii_lowercase();
        let mut roles = ROLES.into_iter();
        roles.find_map(|(name, role)| (name == text).then_some(role))
    };
    let name = name.strip_suffix(":0").unwrap_or(name);
    let (prefix, last) = name.rsplit_once(['.', '/']).unwrap_or(("", name));
    if let Some(role) = role(last) {
        return Some((prefix.to_owned(), role));
    }
    let joined = |rest: &str| match prefix {
        "" => rest.to_owned(),
        _ => format!("{prefix}.{rest}"),
    };
    // `W1`, `weight_1`.
    let letters = last.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = &last[letters.len()..];
    if !digits.is_empty()
        && let Some(role) = role(letters.trim_end_matches('_'))
    {
        return Some((joined(digits), role));
    }
    // `fc1_weight`, of which `bn1_running_mean` has two words.
    let mut cuts = last.match_indices('_').map(|(at, _)| at);
    cuts.find_map(|at| Some((joined(&last[..at]), role(&last[at + 1..])?)))
}

/// The name of a layer, divided for natural order: what is around its numbers, and the numbers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stem {
    /// The name with 0 for each number; layers that have it in common are a series.
    pub series: String,
    /// The numbers from left to right.
    pub numbers: Vec<u64>,
    /// The name itself.
    pub name: String,
}

impl Stem {
    pub(super) fn new(name: &str) -> Stem {
        let (mut series, mut numbers) = (String::new(), Vec::new());
        let mut rest = name;
        while !rest.is_empty() {
            let text = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            let digits = &rest[..rest.len() - text.len()];
            match digits.parse() {
                Ok(number) => {
                    numbers.push(number);
                    series.push('0');
                }
                // Too long for a number, or nothing.
                Err(_) => series.push_str(digits),
            }
            let end = text.find(|c: char| c.is_ascii_digit());
            let end = end.unwrap_or(text.len());
            series.push_str(&text[..end]);
            rest = &text[end..];
        }
        Stem {
            series,
            numbers,
            name: name.to_owned(),
        }
    }

    /// The number of a module in its `nn.Sequential`, and the name of that: of `net.3` it is 3 in `net`.
    pub(super) fn in_sequence(&self) -> Option<(&str, u64)> {
        let (of, number) = self.name.rsplit_once('.').unwrap_or(("", &self.name));
        Some((of, number.parse().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_divided_into_layer_and_role() {
        for (name, stem, role) in [
            ("0.weight", "0", Role::Weight),
            ("weight", "", Role::Weight),
            (
                "model.layers.0.linear.bias",
                "model.layers.0.linear",
                Role::Bias,
            ),
            ("dense_1/kernel:0", "dense_1", Role::Kernel),
            ("W1", "1", Role::OtherWeight),
            ("net.b_2", "net.2", Role::Bias),
            ("fc1_weight", "fc1", Role::Weight),
            ("net.bn_1_running_mean", "net.bn_1", Role::Mean),
            ("bn.num_batches_tracked", "bn", Role::Counter),
        ] {
            assert_eq!(parse(name), Some((stem.to_owned(), role)), "{name}");
        }
        for other in [
            "",
            ".",
            "fc1",
            "fc1.weight_g",
            "0.scale",
            "1",
            "lstm.weight_ih_l0",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn numbers_in_names_are_compared_as_numbers() {
        let mut names = ["net.10", "net.9", "net.9.fc2", "a", "net.9.fc10"].map(Stem::new);
        names.sort();
        let sorted: Vec<&str> = names.iter().map(|stem| &*stem.name).collect();
        assert_eq!(sorted, ["a", "net.9", "net.10", "net.9.fc2", "net.9.fc10"]);
        assert_eq!(Stem::new("net.3").in_sequence(), Some(("net", 3)));
        assert_eq!(Stem::new("3").in_sequence(), Some(("", 3)));
        assert_eq!(Stem::new("fc3").in_sequence(), None);
        let long = "9".repeat(40);
        assert_eq!(Stem::new(&long).numbers, Vec::<u64>::new());
    }
}
