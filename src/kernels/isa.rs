//! Instruction sets. An [`Isa`] is a proof: a value that names AVX2 or AVX-512 exists only on a processor that has
//! it, so a kernel that is handed one may use it without asking again.

use std::fmt;

use crate::error::{Error, Result};

/// The environment variable that forces an instruction set: `scalar`, `avx2` or `avx512`.
pub const ISA_VARIABLE: &str = "SYNLOCAL_ISA";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Kind {
    /// Those that the kernels know, the narrowest first.
    const ALL: &[Kind] = &[
        Kind::Scalar,
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2,
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512,
    ];

    /// Whether this processor has it.
    fn is_here(self) -> bool {
        match self {
            Kind::Scalar => true,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => {
                is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("fma")
                    && is_x86_feature_detected!("popcnt")
            }
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => {
                Kind::Avx2.is_here()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512dq")
            }
        }
    }
}

/// An instruction set that this processor has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Isa(Kind);

impl Isa {
    /// Plain Rust, on any processor.
    pub const SCALAR: Isa = Isa(Kind::Scalar);

    /// Every instruction set that this processor has, the narrowest first.
    pub fn available() -> Vec<Isa> {
        Kind::ALL.iter().copied().filter(|kind| kind.is_here()).map(Isa).collect()
    }

    /// The widest that this processor has.
    pub fn best() -> Isa {
        Kind::ALL.iter().rev().copied().find(|kind| kind.is_here()).map_or(Isa::SCALAR, Isa)
    }

    /// The one called `name`, if this processor has it.
    ///
    /// # Errors
    /// `name` is unknown, or the processor lacks the instruction set.
    pub fn named(name: &str) -> Result<Isa> {
        let available = Isa::available();
        available.iter().copied().find(|isa| isa.to_string() == name).ok_or_else(|| {
            let names: Vec<String> = available.iter().map(Isa::to_string).collect();
            Error::usage(
                format!("instruction set {name:?} is not available here"),
                format!("use one of {}", names.join(", ")),
            )
        })
    }

    /// The one that the environment variable `SYNLOCAL_ISA` forces, else the widest.
    ///
    /// # Errors
    /// The variable names an instruction set that this processor lacks.
    pub fn from_environment() -> Result<Isa> {
        match std::env::var(ISA_VARIABLE) {
            Ok(name) => Isa::named(&name),
            Err(_) => Ok(Isa::best()),
        }
    }

    pub(crate) fn kind(self) -> Kind {
        self.0
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Scalar => "scalar",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => "avx512",
        })
    }
}
