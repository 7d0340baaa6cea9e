// What differs between operations, in one table.
import type { Operation } from '../../protocol/identifiers.ts'
import type { CreateRequestCall } from '../../protocol/sealer-calls.ts'
import type { NewRequest } from '../database/repository.ts'
import { CallRefused } from './call-refused.ts'

/** How the store treats an operation. */
export interface OperationRules {
  /** True when a password comes with it; else the request is on its way as soon as it is made. */
  readonly isSealed: boolean
  /** True when it may write: it has a place in the subject's order, and one at a time is out. */
  readonly isOrdered: boolean
  /** Fills in the options that were left out. Throws CallRefused `body_invalid` for options it does not have. */
  readonly completeOptions: (options: CreateRequestCall['options']) => NewRequest['options']
}

const noOptions: OperationRules['completeOptions'] = (options) => {
  if (Object.keys(options).length > 0) throw new CallRefused('body_invalid', 'this operation has no options')
  return {}
}

/** All operations of the contract. */
export const OPERATIONS: Readonly<Record<Operation, OperationRules>> = {
  reset: {
    isSealed: true,
    isOrdered: true,
    completeOptions: ({ unlock = true, mustChangeAtNextSignIn = false }) => ({
      unlock,
      mustChangeAtNextSignIn,
    }),
  },
  change: { isSealed: true, isOrdered: true, completeOptions: noOptions },
  unlock: { isSealed: false, isOrdered: true, completeOptions: noOptions },
  inspect: { isSealed: false, isOrdered: false, completeOptions: noOptions },
}
