// What differs between operations, in one table.
import type { Operation } from '../../protocol/identifiers.ts'
import type { CreateRequestCall } from '../../protocol/sealer-calls.ts'
import type { NewRequest } from '../database/repository.ts'
import { CallRefused } from './call-refused.ts'

/** How the store treats an operation. */
export interface OperationRules {
  readonly isAvailable: boolean
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
    isAvailable: true,
    completeOptions: ({ unlock = true, mustChangeAtNextSignIn = false }) => ({
      unlock,
      mustChangeAtNextSignIn,
    }),
  },
  change: { isAvailable: false, completeOptions: noOptions },
  unlock: { isAvailable: false, completeOptions: noOptions },
  inspect: { isAvailable: false, completeOptions: noOptions },
}
