import { sep } from 'node:path';

import type { Database } from 'better-sqlite3';

import { TamisError } from '../../contract/errors.ts';
import type { PointQuery, RunPage, RunPoint, RunQuery, RunRow, RunState } from '../../contract/history.ts';
import { recipeSchema, type Recipe } from '../../contract/recipe.ts';
import { guarded } from './errors.ts';
import { measuredOf, pointFrom, rowFrom, valuesOf, type RunRecord } from './records.ts';
import type { StoredRow } from './rows.ts';
import { prepareStatements, type ModelRecord, type MoveRecord, type Statements } from './statements.ts';

/** More dots than these tell nobody anything. */
const POINTS = 2000;

/** The database in the contract's terms. What SQLite refuses is thrown as `history.*`. */
export class Store {
  readonly #database: Database;
  readonly #statements: Statements;

  /** `database`: opened, of the newest version (`openDatabase`). */
  constructor(database: Database) {
    this.#database = database;
    this.#statements = guarded(database.name, () => prepareStatements(database));
  }

  close(): void {
    this.#do(() => this.#database.close());
  }

  /** All of it or nothing. */
  transaction(action: () => void): void {
    this.#do(() => this.#database.transaction(action).immediate());
  }

  // Runs

  find(id: string): RunRow | null {
    const record = this.#do(() => this.#statements.run.get(id));
    return record ? (this.#rows([record])[0] ?? null) : null;
  }

  get(id: string): RunRow {
    const row = this.find(id);
    if (!row) throw new TamisError('history.no-run');
    return row;
  }

  at(path: string): RunRow | null {
    const record = this.#do(() => this.#statements.runAt.get(path));
    return record ? (this.#rows([record])[0] ?? null) : null;
  }

  /** In the order in which they were queued. */
  runsIn(state: RunState): RunRow[] {
    return this.#do(() => this.#rows(this.#statements.runsIn.all(state)));
  }

  /** Runs of a sweep, oldest first. */
  sweep(sweep: string): RunRow[] {
    return this.#do(() => this.#rows(this.#statements.sweep.all(sweep)));
  }

  /** Folder and state of every run, by id. */
  folders(): { id: string; path: string; state: string }[] {
    return this.#do(() => this.#statements.folders.all());
  }

  page(query: RunQuery): RunPage {
    return this.#do(() => ({
      rows: this.#rows(this.#statements.page(query)),
      total: this.#statements.count(query),
    }));
  }

  points(query: PointQuery): RunPoint[] {
    return this.#do(() => this.#statements.points(query, POINTS)).map(pointFrom);
  }

  insert(row: StoredRow, recipe: Recipe): void {
    this.transaction(() => {
      this.#statements.insertRun.run(valuesOf(row));
      this.#putTags(row);
      this.#putMeasured(row);
      this.putRecipe(row.id, recipe);
    });
  }

  change(id: string, changes: Partial<StoredRow>): RunRow {
    this.transaction(() => {
      const row = { ...this.get(id), ...changes };
      this.#statements.updateRun.run(valuesOf(row));
      if (changes.tags) this.#putTags(row);
      if (changes.measured) this.#putMeasured(row);
    });
    return this.get(id);
  }

  /** What the runs were measured by is read for all of them at once. */
  #rows(records: readonly RunRecord[]): RunRow[] {
    const ids = JSON.stringify(records.map(({ id }) => id));
    const measured = Map.groupBy(
      this.#do(() => this.#statements.measured.all(ids)),
      (each) => each.run_id,
    );
    return records.map((record) => rowFrom(record, measured.get(record.id) ?? []));
  }

  #putMeasured(row: StoredRow): void {
    this.#statements.deleteMeasured.run(row.id);
    for (const measured of measuredOf(row)) this.#statements.insertMeasured.run(measured);
  }

  #putTags({ id, tags }: StoredRow): void {
    this.#statements.deleteTags.run(id);
    tags.forEach((tag, position) => this.#statements.insertTag.run(id, position, tag));
  }

  delete(id: string): void {
    this.#do(() => this.#statements.deleteRun.run(id));
  }

  recipe(id: string): Recipe {
    const stored = this.#do(() => this.#statements.recipe.get(id));
    if (!stored) throw new TamisError('history.no-run');
    return recipeSchema.parse(JSON.parse(stored.recipe));
  }

  putRecipe(id: string, recipe: Recipe): void {
    this.#do(() => this.#statements.putRecipe.run(id, JSON.stringify(recipe)));
  }

  /** To the end of the queue. */
  enqueue(id: string): void {
    this.#do(() => this.#statements.enqueue.run(id));
  }

  dequeue(id: string): void {
    this.#do(() => this.#statements.dequeue.run(id));
  }

  // Moving the folder of all runs

  moves(): MoveRecord[] {
    return this.#do(() => this.#statements.moves.all());
  }

  putMove(move: MoveRecord): void {
    this.#do(() => this.#statements.putMove.run(move));
  }

  deleteMove(source: string): void {
    this.#do(() => this.#statements.deleteMove.run(source));
  }

  /** What lies in one folder lies in the other from now on. */
  movePaths(source: string, target: string): void {
    const values = { source, target, separator: sep };
    this.transaction(() => {
      this.#statements.moveRunPaths.run(values);
      this.#statements.moveModelPaths.run(values);
    });
  }

  // Models

  models(): (ModelRecord & { runs: number })[] {
    return this.#do(() => this.#statements.models.all());
  }

  /** Runs made from its folder become its runs. */
  insertModel(model: ModelRecord): void {
    this.transaction(() => {
      this.#statements.insertModel.run(model);
      this.#statements.claimRuns.run(model.id, model.path);
    });
  }

  updateModel(model: ModelRecord): void {
    this.transaction(() => {
      this.#statements.updateModel.run(model);
      this.#statements.claimRuns.run(model.id, model.path);
    });
  }

  deleteModel(id: string): void {
    this.#do(() => this.#statements.deleteModel.run(id));
  }

  #do<T>(action: () => T): T {
    return guarded(this.#database.name, action);
  }
}
