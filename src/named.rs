//! Enums whose values have names.

/// Declares an enum together with the table of its values.
///
/// The constant `ALL` lists the values in the order of their declaration, and the method `name` returns the name that
/// settings, files and messages use. Serde reads and writes the same names, so the enum derives `Serialize` and
/// `Deserialize`.
macro_rules! named {
    (
        $(#[$attribute:meta])*
        $visibility:vis enum $enum:ident {
            $($(#[$of_value:meta])* $value:ident = $name:literal,)+
        }
    ) => {
        $(#[$attribute])*
        $visibility enum $enum {
            $($(#[$of_value])* #[serde(rename = $name)] $value,)+
        }

        impl $enum {
            /// Every value, in the order of the declaration.
            pub const ALL: [$enum; [$($name),+].len()] = [$($enum::$value),+];

            /// The name that settings, files and messages use.
            pub const fn name(self) -> &'static str {
                match self {
                    $($enum::$value => $name,)+
                }
            }
        }
    };
}
pub(crate) use named;

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    named! {
        #[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
        enum Colour {
            Red = "red",
            DarkBlue = "dark-blue",
        }
    }

    #[test]
    fn every_value_has_its_name_in_files_too() {
        assert_eq!(Colour::ALL.map(Colour::name), ["red", "dark-blue"]);
        for colour in Colour::ALL {
            let json = serde_json::to_string(&colour).expect("a name");
            assert_eq!(json, format!("{:?}", colour.name()));
            assert_eq!(serde_json::from_str::<Colour>(&json).ok(), Some(colour));
        }
    }
}
