/**
 * Logs: a winston logger for the library, and nact's logger interface on top of it for actors whose system has none.
 */
import type { Logger as ActorLogger } from 'nact';
import winston, { type Logger } from 'winston';

/** Warnings and errors to the console (standard error), one line each. */
export function consoleLogger(): Logger {
  return winston.createLogger({
    level: 'warn',
    format: winston.format.combine(winston.format.timestamp(), winston.format.printf(line)),
    transports: [
      new winston.transports.Console({ stderrLevels: ['error', 'warn', 'info', 'verbose', 'debug', 'silly'] }),
    ],
  });
}

/** `time level message key=value ...` */
function line(info: winston.Logform.TransformableInfo): string {
  const { level, message, timestamp, ...fields } = info;
  const rest = Object.entries(fields)
    .filter(([, value]) => value !== undefined && value !== '')
    .map(([key, value]) => ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join('');
  return `${String(timestamp)} ${level} ${String(message)}${rest}`;
}

/** nact's logger on a winston logger. */
export function actorLogger(logger: Logger, actor: string): ActorLogger {
  const at = (level: string) => (message: string) => void logger.log(level, message, { actor });
  return {
    trace: at('silly'),
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    critical: at('error'),
    event: (name, properties: unknown) => void logger.info(name, { actor, properties }),
    exception: (exception) => void logger.error(exception.stack ?? exception.message, { actor }),
    metric: (name, values: unknown) => void logger.info(name, { actor, values }),
  };
}
