//! The macros that declare stored structs, so that every one of them is `repr(C)`, plain old
//! data, and checked against `docs/layout.md` at compile time.

/// Declares a struct that is part of an account. (Types are taken as single tokens, `u8` or `[u8; 5]`,
/// because Anchor's IDL builder does not see through a grouped type.)
///
/// The struct: `repr(C)`, `Pod`, of exactly `size` bytes.
///
/// With the feature `anchor` the same struct also gets the traits that Anchor and its IDL builder
/// ask for; the bytes are the same either way.
macro_rules! part {
    ($(#[$meta:meta])* $name:ident: $size:literal { $($(#[$field_meta:meta])* $field:ident: $kind:tt,)+ }) => {
        $(#[$meta])*
        #[cfg_attr(feature = "anchor", anchor_lang::prelude::zero_copy)]
        #[cfg_attr(not(feature = "anchor"), derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable), repr(C))]
        #[derive(Debug)]
        pub struct $name { $($(#[$field_meta])* pub $field: $kind,)+ }

        const _: () = assert!(core::mem::size_of::<$name>() == $size && core::mem::align_of::<$name>() <= 8);
        fields!($name { $($field: $kind,)+ });
    };
}

/// Lists a struct's fields for `docs/layout.md`.
macro_rules! fields {
    ($name:ident { $($field:ident: $kind:tt,)+ }) => {
        impl $name {
            /// Name, type, offset and length of every field, in order.
            pub const FIELDS: &'static [crate::Field] = &[$(crate::Field {
                name: stringify!($field),
                kind: stringify!($kind),
                offset: core::mem::offset_of!($name, $field),
                bytes: core::mem::size_of::<$kind>(),
            },)+];
        }
    };
}

/// Declares an account: as [`part!`], and owned by the program, behind an 8-byte discriminator.
macro_rules! account {
    ($(#[$meta:meta])* $name:ident: $size:literal { $($(#[$field_meta:meta])* $field:ident: $kind:tt,)+ }) => {
        $(#[$meta])*
        #[cfg_attr(feature = "anchor", anchor_lang::prelude::account(zero_copy))]
        #[cfg_attr(not(feature = "anchor"), derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable), repr(C))]
        #[derive(Debug)]
        pub struct $name { $($(#[$field_meta])* pub $field: $kind,)+ }

        const _: () = assert!(core::mem::size_of::<$name>() == $size && core::mem::align_of::<$name>() <= 8);

        fields!($name { $($field: $kind,)+ });

        impl crate::Stored for $name {
            const NAME: &'static str = stringify!($name);
        }
    };
}

/// Asserts where a field stands, beside the struct that it belongs to.
macro_rules! offsets {
    ($name:ident { $($field:ident = $offset:literal,)+ }) => {
        $(const _: () = assert!(core::mem::offset_of!($name, $field) == $offset);)+
    };
}
