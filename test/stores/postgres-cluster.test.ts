import { disposeLeftovers } from '../support/leftovers.ts';
import { startFollower, startPostgres } from '../support/postgres.ts';

afterEach(disposeLeftovers);

test('the clusters of the tests: killed, followed with a lag, promoted, followed again', async () => {
  const primary = await startPostgres();
  await primary.psql('CREATE TABLE t AS SELECT 1 AS n');
  await primary.kill();
  await expect(primary.psql('SELECT 1')).rejects.toThrow('Connection refused');
  await primary.start();
  expect(await primary.psql('SHOW fsync; SHOW synchronous_commit; SHOW data_checksums')).toBe('on\non\non');

  const follower = await startFollower(primary, { synchronous: true, applyDelayMs: 60_000 });
  await primary.psql('INSERT INTO t VALUES (2)');
  expect(await follower.psql('SELECT n FROM t')).toBe('1');
  await follower.setApplyDelay(0);
  await follower.waitFor('SELECT 1 FROM t WHERE n = 2');
  await follower.setApplyDelay(60_000);
  await primary.psql('INSERT INTO t VALUES (3)');
  await primary.kill();

  await follower.promote();
  await follower.psql('INSERT INTO t VALUES (4)');
  expect(await follower.psql('SELECT n FROM t')).toBe('1\n2\n3\n4');
  const next = await startFollower(follower);
  await next.waitFor('SELECT 1 FROM t WHERE n = 4');
}, 60_000);
