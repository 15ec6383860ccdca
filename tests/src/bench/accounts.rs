//! Account bytes, edited in place: shapes that no sequence of instructions may reach.

use bytemuck::{cast_slice_mut, from_bytes_mut};
use keel_sdk::Pubkey;
use keel_state::{DISCRIMINATOR_BYTES, MarginAccount, Position, Stored};
use solana_account::Account;

use crate::vm::Vm;

/// Changes an account's fixed part.
pub fn edit<T: Stored>(
    vm: &mut Vm,
    address: &Pubkey,
    change: impl FnOnce(&mut T),
) -> anyhow::Result<()> {
    let mut account = existing(vm, address)?;
    let bytes = account.data.get_mut(DISCRIMINATOR_BYTES..T::BYTES);
    let bytes = bytes.ok_or_else(|| anyhow::anyhow!("{address} is too short for {}", T::NAME))?;
    change(from_bytes_mut(bytes));
    vm.set_account(*address, account);
    Ok(())
}

/// Changes a margin account and the positions behind it.
pub fn edit_margin(
    vm: &mut Vm,
    address: &Pubkey,
    change: impl FnOnce(&mut MarginAccount, &mut [Position]),
) -> anyhow::Result<()> {
    let mut account = existing(vm, address)?;
    let (header, rest) = account
        .data
        .split_at_mut_checked(MarginAccount::BYTES)
        .ok_or_else(|| anyhow::anyhow!("{address} is no margin account"))?;
    let header: &mut MarginAccount = from_bytes_mut(&mut header[DISCRIMINATOR_BYTES..]);
    let bytes = usize::from(header.capacity) * core::mem::size_of::<Position>();
    change(header, cast_slice_mut(&mut rest[..bytes]));
    vm.set_account(*address, account);
    Ok(())
}

fn existing(vm: &Vm, address: &Pubkey) -> anyhow::Result<Account> {
    vm.account(address)
        .ok_or_else(|| anyhow::anyhow!("no account at {address}"))
}
