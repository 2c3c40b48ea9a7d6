/** The frame of a command that measures what its plan says: help, the machine, the tables, a file of all figures. */
import { writeFileSync } from 'node:fs';
import { MeasurementFailed } from './crew.js';
import { describe, lookAtMachine } from './machine.js';
import { checkFile } from './options.js';
import { type Track, track } from './track.js';

/** What was measured. */
export interface Outcome {
  readonly tables: string;
  /** All figures, as they are written to a file. */
  readonly figures: object;
  /** Whether a part of it could not be measured. */
  readonly isPartial: boolean;
}

/** A command. */
export interface Command<P> {
  readonly name: string;
  readonly help: string;
  /** What the command line asks for; null: help. */
  readonly readPlan: (args: readonly string[]) => { readonly plan: P; readonly json: string | undefined } | null;
  /** What is measured, in a line. */
  readonly subject: (plan: P) => string;
  /** Of how many parts that is. */
  readonly parts: (plan: P) => number;
  readonly measure: (plan: P, to: Track) => Promise<Outcome>;
}

/** Runs a command; resolves with the exit status: 1 if a measurement failed. */
export async function perform<P>(args: readonly string[], command: Command<P>): Promise<number> {
  const options = command.readPlan(args);
  if (!options) {
    console.log(command.help);
    return 0;
  }
  const { plan, json } = options;
  checkFile('json', json);
  const machine = lookAtMachine();
  console.log([...describe(machine), command.subject(plan), ''].join('\n'));
  try {
    const { tables, figures, isPartial } = await track(command.parts(plan), (to) => command.measure(plan, to));
    console.log(tables);
    if (json !== undefined) {
      const line = [`npm run bench -- ${command.name}`, ...args].join(' ');
      writeFileSync(json, `${JSON.stringify({ command: line, machine, plan, ...figures }, null, 2)}\n`);
    }
    return isPartial ? 1 : 0;
  } catch (error) {
    if (!(error instanceof MeasurementFailed)) throw error;
    console.error(`error: ${error.message}`);
    return 1;
  }
}
