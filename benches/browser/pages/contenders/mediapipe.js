// MediaPipe's FaceDetector, short range, on the CPU.

import { FaceDetector, FilesetResolver } from '/peers/@mediapipe/tasks-vision/vision_bundle.mjs';
import { withNormalisation } from '../tflite.js';

const MODEL = '/peers/@mediapipe/face_detection/face_detection_short_range.tflite';

export async function load(picture) {
  const files = await FilesetResolver.forVisionTasks('/peers/@mediapipe/tasks-vision/wasm');
  const model = await (await fetch(MODEL)).arrayBuffer();
  const detector = await FaceDetector.createFromOptions(files, {
    baseOptions: { modelAssetBuffer: withNormalisation(model, 127.5, 127.5), delegate: 'CPU' },
    runningMode: 'IMAGE',
  });
  return { find: () => detector.detect(picture).detections.length };
}
