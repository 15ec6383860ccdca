//! Calls that need more than BPF's five argument registers or its one result register.
//!
//! A result wider than 64 bits is written through a pointer that the caller passes first. When the
//! arguments do not fit the registers, the last ones travel in a structure on the caller's stack,
//! to which the last register points. The shape depends on the function's type alone, so calls
//! through pointers and trait objects agree with the functions they reach.

use super::super::routines;
use crate::llvm::{Builder, Context, Linkage, Module, Opcode, Type, TypeKind, Value};
use anyhow::{Context as _, Result, bail};
use std::collections::HashMap;

const ARGUMENT_REGISTERS: u64 = 5;

/// Registers that a value of this type takes.
fn registers(ty: Type) -> u64 {
    match ty.kind() {
        TypeKind::Void => 0,
        TypeKind::Integer(bits) => u64::from(bits.div_ceil(64)),
        TypeKind::Struct(fields) => fields.into_iter().map(registers).sum(),
        TypeKind::Array(element, length) => length * registers(element),
        TypeKind::Float | TypeKind::Double | TypeKind::Other => 1,
    }
}

/// How a function type looks once everything that does not fit travels through memory.
struct Packed {
    ty: Type,
    /// The type of the result that goes through memory, if it does.
    wide_result: Option<Type>,
    /// The first `kept` arguments stay in registers.
    kept: usize,
    /// The structure that holds the others, if there are others.
    pack: Option<Type>,
}

impl Packed {
    /// `None` when the type fits the registers as it is.
    fn of(context: Context, ty: Type) -> Option<Self> {
        if ty.is_variadic() {
            return None;
        }
        let result = ty.return_type();
        let parameters = ty.parameter_types();
        let wide_result = (registers(result) > 1).then_some(result);
        let free = ARGUMENT_REGISTERS - u64::from(wide_result.is_some());
        let needed: u64 = parameters.iter().copied().map(registers).sum();
        if needed <= free && wide_result.is_none() {
            return None;
        }
        let kept = if needed <= free {
            parameters.len()
        } else {
            fitting(&parameters, free - 1)
        };
        let pack = (kept < parameters.len()).then(|| context.structure(&parameters[kept..]));

        let mut lowered = Vec::new();
        lowered.extend(wide_result.map(|_| context.pointer()));
        lowered.extend(&parameters[..kept]);
        lowered.extend(pack.map(|_| context.pointer()));
        let lowered_result = if wide_result.is_some() {
            context.void()
        } else {
            result
        };
        let ty = context.function_type(lowered_result, &lowered);
        Some(Self {
            ty,
            wide_result,
            kept,
            pack,
        })
    }
}

/// How many of the first parameters fit `free` registers.
fn fitting(parameters: &[Type], free: u64) -> usize {
    let mut used = 0;
    parameters
        .iter()
        .take_while(|&&parameter| {
            used += registers(parameter);
            used <= free
        })
        .count()
}

/// Rewrites every definition and every call that does not fit.
///
/// Errors: an external function (a system call) that does not fit the registers.
pub fn pack_arguments(module: Module) -> Result<()> {
    let builder = Builder::new(module.context());
    for function in module.functions() {
        if function.is_declaration() || keeps_its_shape(function) {
            continue;
        }
        if let Some(packed) = Packed::of(module.context(), function.function_type()) {
            rewrite_definition(module, builder, function, &packed)?;
        }
    }
    for function in module.functions() {
        let mut slots = Slots::new(builder, function);
        for instruction in function.instructions() {
            if instruction.is_call() {
                rewrite_call(module.context(), &mut slots, instruction)?;
            }
        }
    }
    Ok(())
}

/// Routines that code generation calls by name have the shape that it expects.
fn keeps_its_shape(function: Value) -> bool {
    let name = function.name();
    name.starts_with("llvm.")
        || (routines::is_routine(&name) && function.linkage() != Linkage::LLVMInternalLinkage)
}

fn rewrite_definition(
    module: Module,
    builder: Builder,
    function: Value,
    packed: &Packed,
) -> Result<()> {
    let name = function.name();
    let lowered = module.add_function("", packed.ty);
    // What a function claims about the memory it touches no longer holds.
    lowered.copy_traits_of(function, "memory");
    lowered.take_body_of(function);
    let start = lowered
        .first_instruction()
        .context("a definition has a body")?;
    builder.position_before(start);

    let mut incoming = lowered.parameters();
    let result = packed.wide_result.map(|_| incoming.remove(0));
    for (index, parameter) in function.parameters().into_iter().enumerate() {
        let value = match packed.pack {
            Some(pack) if index >= packed.kept => {
                let address =
                    builder.field_address(pack, incoming[packed.kept], index - packed.kept);
                builder.load(parameter.ty(), address)
            }
            _ => incoming[index],
        };
        parameter.replace_all_uses_with(value);
    }
    if let Some(result) = result {
        for instruction in lowered.instructions() {
            if instruction.opcode() == Opcode::LLVMRet {
                builder.position_before(instruction);
                builder.store(instruction.operand(0), result);
                builder.return_void();
                instruction.erase();
            }
        }
    }
    function.replace_all_uses_with(lowered);
    function.delete_function();
    lowered.set_name(&name);
    Ok(())
}

fn rewrite_call(context: Context, slots: &mut Slots, call: Value) -> Result<()> {
    let callee = call.callee();
    if callee.is_inline_assembly() || (callee.is_function() && keeps_its_shape(callee)) {
        return Ok(());
    }
    let ty = call.called_type();
    let Some(packed) = Packed::of(context, ty) else {
        return Ok(());
    };
    if callee.is_function() && callee.is_declaration() {
        bail!(
            "the external function `{}` does not fit the registers",
            callee.name()
        );
    }
    let result = packed
        .wide_result
        .map(|wide| slots.get(Use::Result, wide))
        .transpose()?;
    let pack = packed
        .pack
        .map(|pack| slots.get(Use::Arguments, pack))
        .transpose()?;

    let builder = slots.builder;
    builder.position_before(call);
    let arguments = call.arguments();
    if let (Some(slot), Some(ty)) = (pack, packed.pack) {
        for (index, &argument) in arguments[packed.kept..].iter().enumerate() {
            builder.store(argument, builder.field_address(ty, slot, index));
        }
    }
    let lowered: Vec<Value> = result
        .into_iter()
        .chain(arguments[..packed.kept].iter().copied())
        .chain(pack)
        .collect();
    let new_call = builder.call(packed.ty, callee, &lowered);
    new_call.copy_call_convention_of(call);
    if let (Some(slot), Some(wide)) = (result, packed.wide_result) {
        call.replace_all_uses_with(builder.load(wide, slot));
    } else if ty.return_type().kind() != TypeKind::Void {
        call.replace_all_uses_with(new_call);
    }
    call.erase();
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Use {
    Arguments,
    Result,
}

/// The stack slots of one calling function, one for each type and use.
///
/// All calls share them: a slot is filled right before a call and read right after it.
struct Slots {
    builder: Builder,
    function: Value,
    by_type: HashMap<(Use, Type), Value>,
}

impl Slots {
    fn new(builder: Builder, function: Value) -> Self {
        Self {
            builder,
            function,
            by_type: HashMap::new(),
        }
    }

    fn get(&mut self, purpose: Use, ty: Type) -> Result<Value> {
        if let Some(&slot) = self.by_type.get(&(purpose, ty)) {
            return Ok(slot);
        }
        let start = self
            .function
            .first_instruction()
            .context("a caller has a body")?;
        self.builder.position_before(start);
        let slot = self.builder.stack_slot(ty);
        self.by_type.insert((purpose, ty), slot);
        Ok(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{module, verified};
    use super::*;

    #[test]
    fn five_registers_and_a_narrow_result_stay_as_they_are() {
        let source = "define i64 @f(i64 %a, ptr %b, i32 %c, i8 %d, i1 %e) { ret i64 %a }";
        let module = module(source);
        let before = module.print();
        pack_arguments(module).unwrap();
        assert_eq!(verified(module), before);
    }

    #[test]
    fn the_sixth_argument_and_the_fifth_travel_in_memory() {
        let module = module(
            "define i64 @f(i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %g) {
               %r = add i64 %e, %g
               ret i64 %r
             }
             define i64 @caller() {
               %r = call i64 @f(i64 1, i64 2, i64 3, i64 4, i64 5, i64 6)
               ret i64 %r
             }",
        );
        pack_arguments(module).unwrap();
        let text = verified(module);
        assert!(
            text.contains("@f(i64 %0, i64 %1, i64 %2, i64 %3, ptr %4)"),
            "{text}"
        );
        assert!(
            text.contains("store i64 5") && text.contains("store i64 6"),
            "{text}"
        );
    }

    #[test]
    fn a_wide_result_goes_through_the_first_argument() {
        let module = module(
            "define i128 @f(i128 %a) { ret i128 %a }
             define i128 @caller(ptr %p) { %r = call i128 %p(i128 7) ret i128 %r }",
        );
        pack_arguments(module).unwrap();
        let text = verified(module);
        assert!(text.contains("define void @f(ptr %0, i128 %1)"), "{text}");
        assert!(text.contains("call void %1(ptr %"), "{text}");
    }

    #[test]
    fn calls_of_one_shape_share_their_stack_slots() {
        let module = module(
            "define i128 @f(i128 %a) { ret i128 %a }
             define void @caller() {
               %a = call i128 @f(i128 1)
               %b = call i128 @f(i128 %a)
               ret void
             }",
        );
        pack_arguments(module).unwrap();
        assert_eq!(verified(module).matches("alloca i128").count(), 1);
    }

    #[test]
    fn a_system_call_that_does_not_fit_is_an_error() {
        let module = module(
            "declare void @sol_many(i64, i64, i64, i64, i64, i64)
             define void @f() {
               call void @sol_many(i64 0, i64 0, i64 0, i64 0, i64 0, i64 0)
               ret void
             }",
        );
        assert!(
            pack_arguments(module)
                .unwrap_err()
                .to_string()
                .contains("sol_many")
        );
    }
}
